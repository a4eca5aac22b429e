from django.apps import AppConfig


class TwoHouses(AppConfig):
    name = "tests.benchmarks.two_houses"
    label = "two_houses"
