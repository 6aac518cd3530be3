"""A Yahoo on loopback: the real yfinance asks it, and gets what a test wants it to get.

    with Yahoo() as yahoo:
        yahoo.add("AAPL", quotes)                           # stored bars, see `Listing`
        yahoo.inject("AAPL", faults.too_many_requests(), times=2)
        session = LoopbackSession(yahoo.address)             # plain HTTP, in this process
        fetch("AAPL", session=session, cache=folder)

    with Yahoo() as yahoo, Tunnel(yahoo) as tunnel:          # TLS behind a CONNECT proxy,
        subprocess.run([...], env=tunnel.environment(folder))  # another process, variables alone

`yahoo.py` answers cookie, crumb and chart; `faults.py` spoils answers; `tunnel.py` is the proxy
with its own certificate authority; `bars.py` makes bars up.
"""

from loopback.bars import made_up
from loopback.tunnel import Tunnel
from loopback.yahoo import PATIENT, Listing, LoopbackSession, Yahoo

__all__ = ["PATIENT", "Listing", "LoopbackSession", "Tunnel", "Yahoo", "made_up"]
