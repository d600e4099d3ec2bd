"""AWS as kclust's tests see it: moto's server, with AWS's own refusals put back, and a control API for tests.

Start reading at `server.py` (how one request is answered) and `corrections/` (where moto is kinder than AWS, one
module per service). `README.md` tells how to start it and what the control API offers.
"""
