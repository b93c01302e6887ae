import os

import fal


@fal.function("conda", packages=["tzdata"], pip=["six==1.17.0"], channels=["conda-forge"], serve=True, machine_type="XS")
def prefix() -> dict:
    import six

    return {"prefix": os.environ["CONDA_PREFIX"], "six": six.__version__}
