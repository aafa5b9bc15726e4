"""The dashboard: which metrics it shows and how, for CloudWatch and for a page of one's own.

    widgets   the one definition of what is shown
    body      that definition as the body of a CloudWatch dashboard
    reading   its figures, by GetMetricData, and what reading them costs
    page      the page, in a browser: drawn from the same definition
    server    serves it on this machine

Not shipped in functions.
"""
