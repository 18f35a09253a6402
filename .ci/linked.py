"""The packages that the binary is made of."""

import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def metadata(targets):
    """What cargo knows of the packages that are built for these targets."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    for target in targets:
        command += ["--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


def in_binary(known):
    """Identifiers of all packages that the binary is made of: no tests, no build scripts."""
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    todo, seen = [known["resolve"]["root"]], set()
    while todo:
        for dependency in nodes[todo.pop()]["deps"]:
            is_normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_normal and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                todo.append(dependency["pkg"])
    return seen
