"""What becomes of the function of before.py: called from here, it runs on the platform."""

import fal


@fal.function(machine_type="XS", requirements=[])
def count(text: str) -> int:
    return len(text.split())


if __name__ == "__main__":
    print(count("three small words"))
