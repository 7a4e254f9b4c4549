"""Webhooks in: checked, and their bytes written to the raw topics as they came.

    endpoints  who may deliver what: the file of endpoints, their secrets, their limits
    headers    which headers of a delivery pass, and what is added to them
    proof      is the delivery from whom it says? signature, shown secret, or ConnectWise's key
    keys       ConnectWise's signing keys, fetched from known hosts alone
    handshake  what a sender asks before it sends
    keying     the ticket of a delivery, where that is cheap to say
    bucket     how fast a sender may be, and how much may be under way
    writer     Kafka: acknowledged, or not accepted
    door       one HTTP request, from its path to its answer
    service    listening, reloading, draining

Nothing here knows what a vendor's payload means: what nobody can read becomes a dead letter later.
"""
