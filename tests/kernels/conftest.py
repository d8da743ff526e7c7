from hypothesis import settings

settings.register_profile("few-examples", max_examples=6)
