"""What the demo shows as it goes: lines, and on a terminal a live line below them."""

import sys
import time


class Display:
    """line() is for what happened; live() for what is so now, and shows on a terminal only."""

    def __init__(self, stream=sys.stdout):
        self._stream, self._began, self._live = stream, time.monotonic(), ""
        self._terminal = stream.isatty()
        self._shown = 0.0

    def _style(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self._terminal else text

    def title(self, text):
        self.line(self._style("1", text))

    def line(self, text=""):
        elapsed = f"{time.monotonic() - self._began:7.2f} s  "
        self._write(("\r\x1b[K" if self._terminal else "") + elapsed + text + "\n")
        self._live = ""

    def plain(self, text=""):
        """Without a time: tables and hints."""
        self.end()
        self._write(text + "\n")

    def live(self, text):
        now = time.monotonic()
        if self._terminal and (text != self._live and now - self._shown > 0.05):
            self._live, self._shown = text, now
            self._write(f"\r\x1b[K{now - self._began:7.2f} s  {text}")

    def end(self):
        """Wipes the live line."""
        if self._terminal and self._live:
            self._write("\r\x1b[K")
            self._live = ""

    def _write(self, text):
        self._stream.write(text)
        self._stream.flush()
