"""The engine without Kafka: the same fold over files, for `backtest`, `explain` and `check --against`.

Everything here may know files and books, and nothing about brokers, stores or wall clocks: the time
is that of the events, and the last of it is `as_of`.
"""
