"""Label matrices: int8 (N, C) of POSITIVE, NEGATIVE and UNLABELED. The only place with these numbers."""

POSITIVE, NEGATIVE, UNLABELED = 1, 0, -1
