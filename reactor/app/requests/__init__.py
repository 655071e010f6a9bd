"""Orders and questions over MQTT: how they are given, what lets them in, what is answered."""
