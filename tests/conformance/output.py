"""What a builder says on standard error, as plain values: BuildKit's progress and ours."""
import base64
import json
import re


def fill(text, names):
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def anonymous(text, names):
    """The other way round: what differs from run to run becomes its placeholder again."""
    for name, value in names.items():
        text = text.replace(value, name)
    return text


def plain_progress(text):
    """BuildKit's JSON progress as the lines that its plain progress has; the latter loses warnings now and then."""
    out, numbers, ended = [], {}, set()
    for line in text.splitlines():
        if not line.startswith("{"):
            out.append(line)
            continue
        status = json.loads(line)
        for vertex in status.get("vertexes") or []:
            number = numbers.setdefault(vertex["digest"], len(numbers) + 1)
            if vertex.get("completed") and number not in ended:
                ended.add(number)
                end = "CACHED" if vertex.get("cached") else "ERROR" if vertex.get("error") else "DONE"
                out += ["#%d %s" % (number, vertex["name"]), "#%d %s" % (number, end)]
        out += ["WARN: " + base64.b64decode(w["short"]).decode() for w in status.get("warnings") or []]
    return "\n".join(out)


def failed_line(text, dockerfile="Dockerfile"):
    """The number of the instruction that failed, as BuildKit (`>>>`) or we (`Dockerfile:7:`) show it."""
    ours = re.findall(r"^(?:ERROR: )?\S*%s:(\d+)[:\s]" % re.escape(dockerfile), text, re.M)
    theirs = re.findall(r"^\s*(\d+) \| >>> ", text, re.M)
    return int(theirs[0]) if theirs else int(ours[0]) if ours else 0


def message(text, names):
    """The last error, without what BuildKit says in front of every one."""
    found = re.findall(r"^(?:ERROR|error): (.*(?:\n.*)*)", text, re.M)
    if not found:
        return ""
    out = anonymous(found[-1].strip(), names).removeprefix("failed to solve: ")
    out = re.sub(r"dockerfile parse error on line \d+: ", "", out)
    for prefix in (r"failed to (compute|load) cache key: ", r"failed to load LLB: ", r"failed to marshal LLB definition: ", r"failed to calculate checksum of ref \S+ ", r"rpc error: code = Unknown desc = ",
                   r"error from sender: ", r"failed to match (include|exclude)patterns: ", r"invalid (include|exclude)patterns: \[.*\]: "):
        out = re.sub(prefix, "", out)
    if "lint violation found for rules: " in out:
        out = "lint violation found for rules: " + ", ".join(sorted(re.findall(r"\w+", out.partition("rules: ")[2].splitlines()[0])))
    if "failed to do request" in out or "failed to resolve source metadata" in out or "dial tcp" in out:
        return ""  # the network's words, not the builder's
    return re.sub(r"/tmp/oracle-\S*/cachemounts/[a-z]+\d+", "", out)  # a path of the builder's storage


def says(ours, theirs):
    """Whether our message holds what theirs says. We add places, source lines and hints around it."""
    def flat(text):
        text = text.replace("\\", "").replace(": not found", ": no such file or directory")
        text = re.sub(r', output: ""$|(?<=got )\s*or ', "", text)  # git's words where it has none, the digest of no tag
        return " ".join(re.sub(r"(failed to )?\b[a-z]*stat(at)? (\S+):|\bopen (\S+):|\bmkdir (\S+):", "", text).split()).lower()
    return flat(theirs) in flat(ours)


def warnings(text):
    """The findings of the build checks: rule and line."""
    found = re.findall(r"WARN: (\w+): .*\(line (\d+)\)", text)
    return [list(each) for each in sorted({(rule, int(line)) for rule, line in found})]


def steps_that_ran(text):
    """The instructions, as `[stage 2/4] TEXT`, that were not cached."""
    names, ran = {}, []
    for number, rest in re.findall(r"^#(\d+) (.*)$", text, re.M):
        if re.match(r"\[(?:\S+ )?\s*\d+/\d+\] ", rest):
            names[number] = rest
        elif rest.startswith("DONE") and number in names:
            ran.append(names.pop(number))
        elif rest == "CACHED":
            names.pop(number, None)
    # BuildKit shows the text with its variables expanded, and counts a base that is a named context in one place only.
    places = [re.fullmatch(r"\[(\S+ )?\s*\d+/\d+\] (\S+).*", step) for step in ran]
    return sorted((place[1] or "").replace("stage-0 ", "") + place[2] for place in places if place and place[2] != "FROM")
