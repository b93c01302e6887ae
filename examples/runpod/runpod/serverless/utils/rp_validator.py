"""Checks a job's input, as RunPod's helper of this name does."""


def validate(raw, schema):
    """`{"validated_input": …}` with defaults filled in, or `{"errors": […]}`."""
    errors = [f"Unexpected input. {key} is not a valid input option." for key in raw if key not in schema]
    values = {}
    for key, rule in schema.items():
        if key not in raw and rule.get("required"):
            errors.append(f"{key} is a required input.")
            continue
        values[key] = raw.get(key, rule.get("default"))
        errors.extend(_wrong(key, values[key], rule, key in raw))
    return {"errors": errors} if errors else {"validated_input": values}


def _wrong(key, value, rule, is_given):
    kind = float if rule["type"] is float and isinstance(value, int) and not isinstance(value, bool) else None
    if is_given and kind is None and not isinstance(value, rule["type"]):
        return [f"{key} should be {rule['type']} type, not {type(value)}."]
    check = rule.get("constraints")
    return [f"{key} does not meet the constraints."] if check is not None and not check(value) else []
