# SPDX-License-Identifier: BSD-3-Clause
"""Importing this lets signals through again that whoever started the tests has ignored (nohup, a shell's '&'):
children inherit that, and the command heeds it."""

import signal

for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
