import videoannotator as va


@va.hookimpl
def videoannotator_pipeline():
    return []
