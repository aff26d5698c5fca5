"""Passwords, tokens and keys in the options of sources; see :mod:`parfocal.secrets`."""

from parfocal.secrets import Secret as Secret
