"""Listings that are behind: a read may be given the answer that the same read had some seconds ago."""

import random
import time

from ..calls import Answer, Call

# What S3, STS and SSM say is up to date.
_SERVICES = ("autoscaling", "ec2", "elb", "elbv2", "iam", "route53")


class Staleness:
    """The latest answers of one account. The chance of an old one falls over the time that it may be old."""

    def __init__(self, seconds: float, seed: int):
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._answers: dict[tuple, tuple[float, Answer]] = {}

    def learn(self, call: Call, answer: Answer) -> None:
        if call.service in _SERVICES and not call.changes and answer.status < 300:
            self._answers[call.request()] = time.monotonic(), answer

    def old_answer(self, call: Call) -> Answer | None:
        if call.service not in _SERVICES or call.changes:
            return None
        answered, answer = self._answers.get(call.request(), (float("-inf"), None))
        share = (time.monotonic() - answered) / self._seconds
        return answer if self._chance.random() >= share else None
