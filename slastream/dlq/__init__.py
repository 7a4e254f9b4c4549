"""Dead letters: what could not be understood, told apart, shown, and sent again.

    letter     one record of the dead-letter topic as a value: why, whence, and its bytes
    reading    the letters of a broker
    sending    what a letter would be read as now, and the way back to its topic

A letter is never changed or taken away: the topic keeps it for its retention time.
"""
