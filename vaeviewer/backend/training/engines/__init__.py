"""How a gradient step is computed: chosen once per run, and invisible above."""
