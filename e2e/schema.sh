#!/bin/sh
# Three validators, one answer: `sculpt validate`, check-jsonschema (PyPI) and ajv (npm) must agree on every manifest of the corpus
# about what the schema can say. Needs python3 with venv, and npm. SCULPT names the binary; TOOLS keeps the installed tools between runs.
set -eu
cd "$(dirname "$0")/.."
sculpt=${SCULPT:-target/debug/sculpt}
tools=${TOOLS:-$(mktemp -d)}
work=$(mktemp -d)
trap 'rm -rf "$work"; [ -n "${TOOLS:-}" ] || rm -rf "$tools"' EXIT

[ -x "$tools/venv/bin/check-jsonschema" ] || { python3 -m venv "$tools/venv" && "$tools/venv/bin/pip" install --quiet check-jsonschema; }
[ -x "$tools/npm/node_modules/.bin/ajv" ] || npm install --silent --no-fund --no-audit --prefix "$tools/npm" ajv-cli@5 >/dev/null

schema=schemas/goal.v1.json
"$sculpt" schema goal | cmp - "$schema"
"$tools/venv/bin/check-jsonschema" --check-metaschema "$schema" >/dev/null

for file in tests/manifests/valid/*.yaml tests/manifests/invalid/*.yaml; do
    "$sculpt" validate --format json "$file" >"$work/$(basename "$(dirname "$file")")-$(basename "$file").json" || [ $? -eq 2 ]
done
python3 - "$work" "$schema" "$tools" <<'END'
import json, pathlib, re, subprocess, sys

work, schema, tools = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
# What the schema says no to. What a rule refuses is all right to a schema.
structural = {"unknown-key", "missing-key", "wrong-type", "unknown-value", "wrong-form", "out-of-range", "empty", "schema"}
# What is refused before a schema is asked: the text is no YAML, or its parts do not fit together.
before = {"yaml-syntax", "duplicate-key", "tab-indentation", "several-documents", "unknown-anchor", "merge-key", "unknown-tag", "number-range",
          "unquoted-template", "include-clash", "include-key", "cyclic-include", "unreadable-file", "cyclic-uses", "missing-param",
          "unknown-param", "wrong-param", "uses-and-work", "with-without-uses"}
# YAML readers differ on what these words are.
words = {"words_that_readers_differ_on.yaml"}

ours = {}
for report in sorted(work.glob("*.yaml.json")):
    folder, name = report.name.removesuffix(".json").split("-", 1)
    path = f"tests/manifests/{folder}/{name}"
    errors = [finding for finding in json.loads(report.read_text())["findings"] if finding["severity"] == "error"]
    if name in words or any(error["rule"] in before or error["file"] != path for error in errors):
        continue
    ours[path] = not any(error["rule"] in structural for error in errors)

python = subprocess.run([f"{tools}/venv/bin/check-jsonschema", "--schemafile", schema, "-o", "json", *ours], capture_output=True, text=True)
python = json.loads(python.stdout)
refused = {error["filename"] for error in python.get("errors", []) + python.get("parse_errors", [])}
data = [argument for path in ours for argument in ("-d", path)]
ajv = subprocess.run([f"{tools}/npm/node_modules/.bin/ajv", "validate", "--spec=draft2020", "--errors=no", "-s", schema, *data], capture_output=True, text=True)
ajv = dict(re.findall(r"^(tests\S+) (valid|invalid)$", ajv.stdout + ajv.stderr, re.M))

wrong = 0
for path, verdict in ours.items():
    answers = {"sculpt": verdict, "check-jsonschema": path not in refused, "ajv": ajv.get(path) == "valid"}
    if path not in ajv or len(set(answers.values())) > 1:
        wrong += 1
        print(f"DISAGREE {path}: {answers}")
invalid = sum(not verdict for verdict in ours.values())
print(f"{len(ours)} manifests compared ({invalid} of them invalid), {wrong} disagreements")
sys.exit(1 if wrong or invalid < 8 or len(ours) - invalid < 15 else 0)
END
