"""A client's data erased on request: where it is, the request that a worker obeys, what retention still holds.

Behind `slastream forget`. Only the owner of a partition may write its state, so nothing here does: a
tombstone goes into the journal, and the transaction that follows from it is waited for.
"""
