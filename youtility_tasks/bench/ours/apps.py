from django.apps import AppConfig


class BenchApp(AppConfig):
    name = "youtility_tasks.bench.ours"
    label = "bench_ours"
