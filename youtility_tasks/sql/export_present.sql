SELECT p.name, p.label, p.other_label, p.value FROM youtility_tasks_export_present_v1(%(queues)s, %(lease_s)s, %(most)s) p
