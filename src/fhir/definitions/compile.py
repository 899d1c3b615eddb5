#!/usr/bin/env python3
"""Compile the official FHIR R4 (4.0.1) definitions into r4.json, the compact tables the engine loads.

usage: compile.py profiles-resources.json[.gz] profiles-types.json[.gz] valuesets.json[.gz] > r4.json

The three inputs are the Bundles of HL7's definitions package. One line an element:
    "<min>..<max> <type>[|<type>…] [=<codes>] [summary] [modifier]"
where <codes> names a list under "codes" (a required binding whose every code is known), Reference carries
its allowed targets in parentheses, and a dotted type is a backbone element of this table.
"""
import gzip
import json
import sys

SERVED = ["Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Coverage"]
PROTOCOL = ["Bundle", "Parameters", "OperationOutcome", "CapabilityStatement"]
NOTE = ("Derived from the HL7 FHIR R4 4.0.1 definitions (profiles-resources, profiles-types, valuesets), which HL7 "
        "publishes under Creative Commons CC0 1.0. Made by compile.py; do not edit by hand.")
SYSTEM_TYPE = "http://hl7.org/fhirpath/System."
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
PREFIX = "http://hl7.org/fhir/StructureDefinition/"


def load(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        return [entry["resource"] for entry in json.load(file)["entry"]]


def type_code(of, element, kind):
    code = of["code"]
    if code.startswith(SYSTEM_TYPE):
        # 4.0.1 calls Resource.id a string; the text of the specification gives it the id type.
        if kind == "resource" and element["path"].count(".") == 1:
            return "id"
        return next(x["valueUrl"] for x in of["extension"] if x["url"] == FHIR_TYPE)
    if code == "Reference":
        targets = [target.removeprefix(PREFIX) for target in of.get("targetProfile", [])]
        return "Reference" if not targets or "Resource" in targets else f"Reference({','.join(targets)})"
    return code


class Compiler:
    def __init__(self, resources, types, valuesets):
        self.definitions = {d["id"]: d for d in resources + types if d["resourceType"] == "StructureDefinition"}
        self.valuesets = {v["url"]: v for v in valuesets if v["resourceType"] == "ValueSet"}
        self.systems = {v["url"]: v for v in valuesets if v["resourceType"] == "CodeSystem"}
        self.types, self.codes = {}, {}

    def expand(self, url):
        """All codes of a value set, or None where they are not all known here (BCP 13, ISO 4217 …)."""
        codes = []
        for part in self.valuesets[url]["compose"]["include"]:
            if "filter" in part or "valueSet" in part:
                return None
            concepts = part.get("concept")
            if concepts is None:
                system = self.systems.get(part["system"])
                if system is None or system["content"] != "complete":
                    return None
                concepts = system["concept"]
            stack = list(concepts)
            while stack:
                concept = stack.pop(0)
                codes.append(concept["code"])
                stack = concept.get("concept", []) + stack
        return None if "exclude" in self.valuesets[url]["compose"] else codes

    def binding(self, element):
        binding = element.get("binding", {})
        if binding.get("strength") != "required" or "valueSet" not in binding:
            return None
        url = binding["valueSet"].split("|")[0]
        name = url.rsplit("/", 1)[-1]
        if url not in self.valuesets:
            return None
        if name not in self.codes:
            codes = self.expand(url)
            if codes is None:
                return None
            self.codes[name] = " ".join(codes)
        return name

    def add(self, name):
        if name in self.types:
            return
        definition = self.definitions[name]
        if definition["kind"] == "primitive-type":
            return
        self.types[name] = {}
        todo = []
        elements = definition["snapshot"]["element"][1:]
        for element in elements:
            parent, leaf = element["path"].rsplit(".", 1)
            if any(e["path"].startswith(element["path"] + ".") for e in elements):
                codes = [element["path"]]
            elif "contentReference" in element:
                codes = [element["contentReference"].removeprefix("#")]
            else:
                codes = [type_code(of, element, definition["kind"]) for of in element["type"]]
                todo += [of["code"] for of in element["type"] if of["code"] in self.definitions]
            words = [f"{element['min']}..{element['max']}", "|".join(codes)]
            if name_of_codes := self.binding(element):
                words.append("=" + name_of_codes)
            words += [word for word, key in (("summary", "isSummary"), ("modifier", "isModifier")) if element.get(key)]
            self.types.setdefault(parent, {})[leaf] = " ".join(words)
        for code in todo:
            if code not in ("Resource", "DomainResource"):
                self.add(code)


def main():
    compiler = Compiler(*(load(path) for path in sys.argv[1:4]))
    for name in SERVED + PROTOCOL + ["Element"]:
        compiler.add(name)
    resources = sorted(d["id"] for d in compiler.definitions.values()
                       if d["kind"] == "resource" and not d["abstract"] and d["derivation"] == "specialization")
    table = {"note": NOTE, "resources": " ".join(resources),
             "codes": dict(sorted(compiler.codes.items())), "types": compiler.types}
    print(json.dumps(table, indent=1, ensure_ascii=False))


main()
