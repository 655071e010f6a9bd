"""What guests lack of what policies need: looked for after a connect, judged when asked."""
