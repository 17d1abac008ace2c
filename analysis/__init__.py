"""From raw rows to metrics, figures and a report; and the theory they are compared with."""
