"""placeholder"""


def forbidden(policy, config):
    return []
