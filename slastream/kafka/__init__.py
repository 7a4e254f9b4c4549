"""Kafka at arm's length: who we are to it, which topics it must have, and a broker of our own.

    security   who we are: TLS and SASL, as one value
    topics     `topics/*.yaml` as values: the one source of truth
    plan       a topic as a particular cluster should have it: prefix, partitions, settings
    admin      what a broker has, what it lacks, and what it must never be trusted with
    reach      why a broker cannot be reached, in one sentence
    acls       the least that each role may
    render     the topics in other formats
    local      a real Apache Kafka on this machine, for `up`, tests and benchmarks
    cluster    a few of them
    jars       what that broker is made of, pinned

Nothing here knows what a ticket or a clock is.
"""
