from django.apps import AppConfig


class PeerApp(AppConfig):
    name = "peers.procrastinate"
    label = "peer_procrastinate"
