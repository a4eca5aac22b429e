"""Alert rules and boards, made from what each queue promises (`objectives`) and written as files: `make_dashboards`."""
