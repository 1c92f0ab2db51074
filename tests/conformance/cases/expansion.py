"""Section 4 of the language: where variables are expanded, every form, quotes, and in which order."""
import re


def case(body, **more):
    text = body if re.search("^FROM ", body, re.M) else "FROM busybox\n" + body
    return {"dockerfile": text + "\n", "files": more.pop("files", {"f": "file", "a/f": "in a", "$x": "dollar", "x y": "blank"}), "base": "busybox", **more}


CASES = {}

# 4.1 where
for name, body in {
        "copy_source": "ENV S=f\nCOPY $S /x", "copy_destination": "ENV D=/d/e\nCOPY f ${D}/f", "copy_chown": "ENV U=3 G=4\nCOPY --chown=$U:$G f /f", "copy_chmod": "ENV M=600\nCOPY --chmod=$M f /f", "copy_chmod_bad": "ENV M=x9\nCOPY --chmod=$M f /f", "copy_from": "ARG S=busybox\nCOPY --from=$S /etc/passwd /p", "copy_json": 'ENV S=f D=/d\nCOPY ["$S", "$D/"]', "copy_exclude_not": "ENV E=f\nCOPY --exclude=$E a /d/",
        "copy_source_empty": "COPY $NOPE /d/", "copy_source_blank": 'ENV S="x y"\nCOPY $S /d/', "copy_escaped_dollar": "COPY \\$x /d/", "add_checksum": "ENV C=sha256:00\nADD --checksum=$C f /f", "env_key": "ENV K=A\nENV $K=1", "label_key": "ENV K=A\nLABEL $K=1 x.$K=$K", "expose_split": 'ENV P="80 81/udp"\nEXPOSE $P 82', "expose_quoted": 'ENV P=80\nEXPOSE "$P"', "expose_bad": "ENV P=x\nEXPOSE $P",
        "stopsignal": "ENV S=SIGINT\nSTOPSIGNAL $S", "stopsignal_bad": "ENV S=x\nSTOPSIGNAL $S", "user": "ENV U=me G=us\nUSER ${U}:$G", "volume": "ENV V=/v\nVOLUME $V/a", "volume_json": 'ENV V=/v\nVOLUME ["$V/a", "b$V"]', "volume_empty_variable": "VOLUME $NOPE", "workdir": "ENV W=x\nWORKDIR /$W/${W}y", "workdir_empty": "WORKDIR $NOPE", "workdir_relative_variable": "ENV W=x/y\nWORKDIR /a\nWORKDIR $W",
        "arg_default": "ARG A=1\nARG B=${A}2\nENV C=$B", "arg_default_env": "ENV E=e\nARG B=$E\nENV C=$B", "run_not": "ENV A=1\nRUN A=2; echo $A ${A%2} > /o", "run_exec_not": 'ENV A=1\nRUN ["/bin/busybox", "touch", "/$A"]', "cmd_not": "ENV A=1\nCMD echo $A", "entrypoint_not": "ENV A=1\nENTRYPOINT echo ${A}", "shell_not": 'ENV S=/bin/sh\nSHELL ["$S", "-c"]\nCMD x', "healthcheck_not": "ENV A=1\nHEALTHCHECK CMD echo $A", "healthcheck_flag": "ENV A=5s\nHEALTHCHECK --interval=$A CMD x",
        "onbuild_not": "ENV A=1\nONBUILD RUN echo $A\nONBUILD ENV B=$A", "maintainer_not": "ENV A=1\nMAINTAINER $A", "mount_target": "ENV T=/t\nRUN --mount=type=tmpfs,target=$T touch $T/x /o", "mount_id": "ENV I=exp-id\nRUN --mount=type=cache,id=$I,target=/c touch /c/x\nRUN --mount=type=cache,id=exp-id,target=/d ls /d > /o", "mount_source": "ENV S=a\nRUN --mount=source=$S,target=/m ls /m > /o", "mount_from": "ARG F=busybox\nRUN --mount=from=$F,target=/m true",
        "mount_mode": "ENV M=0711\nRUN --mount=type=cache,id=exp-mode,target=/c,mode=$M stat -c %a /c > /o", "mount_required": "ENV R=true\nRUN --mount=type=secret,id=nope,required=$R true", "network_not": "ENV N=none\nRUN --network=$N true", "from_platform": "ARG P=linux/amd64\nFROM --platform=$P busybox\nENV A=1", "from_image": "ARG I=busybox\nFROM ${I}\nENV A=1", "from_parts": "ARG A=busy B=box\nFROM $A$B\nENV A=1", "from_default": "FROM ${I:-busybox}\nENV A=1", "from_quotes": 'ARG I="busybox"\nFROM "$I"\nENV A=1',
        "from_quoted_name": 'FROM "busybox"\nENV A=1', "from_as_not": "ARG N=one\nFROM busybox AS $N\nENV A=1", "from_stage_by_variable": "ARG S=one\nFROM busybox AS one\nENV A=1\nFROM $S\nENV B=2", "from_needs_global": "FROM busybox AS a\nARG I=busybox\nFROM $I\nENV A=1", "from_undefined": "FROM $NOPE\n", "from_platform_empty": "FROM --platform=$NOPE busybox\nENV A=1", "from_platform_bad": "FROM --platform=a/b/c/d/e busybox\nENV A=1"}.items():
    CASES["where_" + name] = case(body)

# 4.2 forms: one ENV each, so that an error stays its own
FORMS = {
    "plain": "$A", "braces": "${A}", "unset": "$U", "unset_braces": "${U}", "glued": "${A}b$A-c", "dash_colon_unset": "${U:-w}", "dash_colon_empty": "${E:-w}", "dash_colon_set": "${A:-w}", "dash_unset": "${U-w}", "dash_empty": "${E-w}", "plus_colon_unset": "${U:+w}", "plus_colon_empty": "${E:+w}", "plus_colon_set": "${A:+w}", "plus_unset": "${U+w}", "plus_empty": "${E+w}", "plus_set": "${A+w}",
    "question_colon_unset": "${U:?m}", "question_colon_empty": "${E:?m}", "question_unset": "${U?m}", "question_empty": "${E?m}", "question_set": "${A:?m}", "question_no_text": "${U:?}", "question_no_text_empty": "${E:?}", "question_plain_no_text": "${U?}", "question_variable": "${U:?need $A}", "hash": "${P#*/}", "hash_two": "${P##*/}", "percent": "${P%/*}", "percent_two": "${P%%/*}", "hash_no_match": "${P#x}", "hash_empty": "${P#}",
    "percent_question": "${P%?}", "hash_question": "${P#?}", "replace_first": "${P/a/X}", "replace_all": "${P//a/X}", "replace_empty": "${P//a/}", "replace_star": "${P/b*r/X}", "replace_slash": "${P//\\//-}", "replace_no_second": "${P/a}", "replace_variable": "${P/$A/$B}", "replace_question": "${P//?/x}", "nested_default": "${U:-${A:-x}}", "nested_twice": "${U:-${V:-${B}}}", "pattern_variable": "${P#$A}", "pattern_class": "${P#[a-z]}", "pattern_escaped_star": "${S#\\*}",
    "empty_braces": "${}", "colon_first": "${:x}", "brace_in_brace": "${{A}}", "no_closing": "${A", "unsupported": "${A^^}", "unsupported_at": "${A@Q}", "colon_alone": "${A:}", "colon_digit": "${A:1}", "length": "${#A}", "indirect": "${!A}", "blank_name": "${ A }", "dollar_alone": "$", "dollar_blank": "\"$ x\"", "dollar_end": "x$", "dollar_dash": "$-x", "dollar_dot": "$.x", "dollar_slash": "$/x", "positional": "[$1$9$0]", "special": "[$@$*$#$?$$$!]",
    "positional_braces": "${1:-one}", "digits_long": "$12", "non_ascii_name": "${ä}", "underscore": "$_x$A_$A", "case_sensitive": "$a$A", "default_quotes": "${U:-\"a b\"}", "default_single_quotes": "${U:-'a$A'}", "default_blank": "\"${U:-a b}\"", "default_brace_escaped": "${U:-a\\}b}", "default_empty": "[${U:-}]", "value_not_again": "$D", "dollar_dollar": "$$A", "escaped_dollar": "\\$A", "escaped_in_quotes": "\"\\$A\"", "double_star": "${P##*a}", "long_percent": "${P%%a*}"}
for name, form in FORMS.items():
    CASES["form_" + name] = case("ENV A=abc B=bcd E= P=foo/bar/baz S=*star D='$A'\nENV X=%s" % form)

# 4.3 quotes and escapes
for name, body in {
        "single": "ENV X='$A \\$A \"q\"'", "double": 'ENV X="$A \\$A \\" \\\\ \\n \\x"', "none": "ENV X=\\a\\ \\\\\\$A\\'", "escape_last": "ENV X=a\\", "adjacent": "ENV X=\"a\"'b'c", "empty": "ENV X=\"\"''", "single_in_double": "ENV X=\"it's $A\"", "double_in_single": "ENV X='say \"$A\"'", "unclosed_single": "ENV X='a", "unclosed_double": 'ENV X="a', "quotes_in_workdir": 'WORKDIR "/a $A"', "quotes_in_user": "USER 'a'\"$A\"", "quote_in_copy": "COPY f '/q'",
        "newline_in_quotes": 'ENV X="a\\\nb"', "label_quotes": "LABEL x='a' y=\"b $A\" z=c\\ d", "backslash_unicode": "ENV X=\\ä\\☃"}.items():
    CASES["quote_" + name] = case("ENV A=val\n" + body)
    CASES["quote_backtick_" + name] = case("# escape=`\nFROM busybox\nENV A=val\n" + body.replace("\\", "`"))

# 4.4 order
for name, body in {
        "env_sees_before": "ENV a=1\nENV a=2 b=$a c=$b", "arg_in_turn": "ARG a=1 b=$a c=${b}x\nENV e=$c", "global_arg_in_turn": "ARG a=1 b=${a}2\nFROM busybox\nARG b\nENV e=$b", "arg_after_env": "ENV A=env\nARG A=arg\nENV B=$A\nRUN echo $A > /o", "env_after_arg": "ARG A=arg\nENV A=env\nENV B=$A\nRUN echo $A > /o", "arg_between": "ENV A=1\nARG A=2\nENV A=3\nARG A=4\nRUN echo $A > /o", "arg_no_value_after_env": "ENV A=env\nARG A\nENV B=$A\nRUN echo $A > /o",
        "child_env_then_arg": "FROM busybox AS a\nENV A=env\nARG A=arg\nRUN echo $A > /1\nFROM a\nRUN echo $A > /2\nENV B=$A", "child_arg_then_env": "FROM busybox AS a\nARG A=arg\nENV A=env\nFROM a\nRUN echo $A > /2\nENV B=$A", "child_redeclares": "FROM busybox AS a\nENV A=env\nARG A=arg\nFROM a\nARG A=child\nRUN echo $A > /2", "child_redeclares_empty": "FROM busybox AS a\nARG A=arg\nFROM a\nARG A\nRUN echo $A > /2",
        "grandchild": "FROM busybox AS a\nARG A=1\nENV B=b\nFROM a AS b\nARG B=2\nFROM b\nRUN echo $A $B > /o", "path_from_arg": "ARG PATH=/x\nENV P=$PATH\nRUN [\"/bin/busybox\", \"touch\", \"/o\"]", "label_order": "LABEL b=1\nLABEL a=2 b=3", "env_replaced_in_place": "ENV A=1 B=2\nENV A=3 C=4", "env_uses_itself": "ENV A=1\nENV A=$A:2\nENV A=$A:3", "arg_uses_itself": "ARG A=1\nARG A=$A:2\nENV B=$A", "global_uses_itself": "ARG A=1\nARG A=${A}2\nFROM busybox\nARG A\nENV B=$A",
        "env_unset_in_run": "ENV A=\nRUN echo \"[${A-unset}]\" > /o", "arg_no_value_in_run": "ARG A\nRUN echo \"[${A-unset}]\" > /o", "arg_empty_in_run": "ARG A=\nRUN echo \"[${A-unset}]\" > /o"}.items():
    CASES["order_" + name] = case(body)
CASES["order_given_over_env"] = case("ENV A=env\nARG A=arg\nRUN echo $A > /o", args={"A": "given"})
CASES["order_given_default_not_evaluated"] = case("ARG A=${NOPE:?never}\nENV B=$A", args={"A": "given"})
CASES["order_global_given_not_evaluated"] = case("ARG A=${NOPE:?never}\nFROM busybox\nARG A\nENV B=$A", args={"A": "given"})
CASES["order_given_empty"] = case("ARG A=arg\nENV B=[$A]\nRUN true", args={"A": ""})
CASES["order_given_twice_declared"] = case("ARG A=1\nARG A=2\nENV B=$A\nRUN true", args={"A": "given"})
CASES["order_given_for_child"] = case("FROM busybox AS a\nARG A=1\nFROM a\nARG A=2\nRUN echo $A > /o", args={"A": "given"})
CASES["order_global_given_not_declared"] = case("ARG A=1\nFROM busybox\nENV B=[$A]\nRUN echo [$A] > /o", args={"A": "given"})
