"""Receivers: alerts, and what clears them, out of Kafka and to whoever must act.

    routes       the file of routes as values: who is told what
    credentials  the addresses and secrets of that file
    route        one route, and what it lets through
    secret       a secret: from a file or the environment, never shown
    alert        one record of the alerts topic as a value
    standing     which alerts stand, so that the last one that is cleared clears
    words        an alert in words for people
    receivers    an alert in the words of PagerDuty, Alertmanager, Slack, Teams, or a signed webhook
    post         one HTTP request, and what its answer means
    gate         how fast a route may be, and how it waits for a receiver that is away
    window       what of a partition is under way: a ticket's alerts in order, and how far all is done
    delivery     from a window to the receiver: who goes next, when to try again, when to give up
    opening      where a route goes on in a partition, and what stands there
    courier      one route: its consumer group, its receiver
    letters      what no receiver takes, onto the dead letters
    review       what stands for a route, told once more by hand
    trial        one message that says it is a test
    counts       the metrics
    service      all routes as one process, and its pages

Each route is a consumer group of its own: a receiver that is slow or dead holds up nobody else's.
"""
