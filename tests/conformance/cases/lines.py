"""Sections 2 and 3 of the language: lines, comments, directives, flags, words, here-documents, and what is refused."""


def case(text, **more):
    return {"dockerfile": text, "files": more.pop("files", {"f": "file", "g h": "blank"}), "base": "busybox", **more}


CASES = {}
HEAD = "FROM busybox\n"

# 2.1 input
for name, text in {
        "empty_file": "", "blank_lines_only": "\n\n  \n", "comments_only": "# a\n # b\n", "args_only": "ARG A=1\nARG B\n", "copy_before_from": "COPY f /f\nFROM busybox\n", "env_before_from": "ENV A=1\nFROM busybox\n",
        "label_before_from": "ARG A\nLABEL a=1\nFROM busybox\n", "keyword_case": "FrOm busybox\nrUn touch /o\nEnV A=1\n", "crlf_everywhere": "FROM busybox\r\nENV A=1 \\\r\n  B=2\r\nRUN <<EOF\r\ntouch /o\r\nEOF\r\nLABEL x=y\r\n", "no_final_newline": "FROM busybox\nENV A=1",
        "bom_then_directive": "\ufeff# escape=`\nFROM busybox\nENV A=a`\nb\n", "form_feed_and_tabs": "\tFROM busybox\n\t \tENV A=1\n", "long_line": "FROM busybox\nENV A=" + "x" * 65000 + "\n", "line_too_long": "FROM busybox\nENV A=" + "x" * 65536 + "\n", "nul_in_text": "FROM busybox\nLABEL a=\"b\x00c\"\n", "non_utf8_text": "FROM busybox\nLABEL käse=\"größe ☃\"\n"}.items():
    CASES["input_" + name] = case(text)

# 2.2 comments, 2.3 continuation
for name, body in {
        "comment_indented": "  # comment\n   ENV A=1", "hash_in_text": "ENV A=a#b\nRUN echo x # y > /o; echo z > /o", "comment_inside_env": "ENV A=1 \\\n# no\n  # no more\n  B=2", "comment_inside_run": "RUN echo a > /o && \\\n# no\n   # $no\n echo b >> /o", "hash_after_continuation_is_text": "RUN echo a \\\n  b #c\\\n d > /o",
        "comment_ends_in_escape": "ENV A=1 \\\n# comment \\\n B=2", "blanks_after_escape": "ENV A=1 \\  \t\n B=2", "double_escape": "ENV A=a\\\\\nENV B=2", "triple_escape": "ENV A=a\\\\\\\nENV B=2", "only_escape": "ENV A=1 \\\n\\\n\\\n B=2", "leading_blanks_kept": "ENV A=a\\\n   b=c\nLABEL x=\"1\\\n   2\"",
        "joined_without_separator": "RUN echo ab\\\ncd > /o", "blank_line_inside": "ENV A=1 \\\n\n\n B=2", "continuation_at_end_of_file": "ENV A=1 \\", "continuation_then_comment_at_end": "ENV A=1 \\\n# x\n", "keyword_split": "EN\\\nV A=1", "continuation_in_json": "RUN [\"/bin/busybox\", \\\n  \"touch\", \\\n  \"/o\"]",
        "continuation_in_quotes": "ENV A=\"x \\\n  y\"", "blank_lines_with_blanks": "ENV A=1 \\\n   \n\t\n B=2", "escape_blank_escape": "ENV A=1 \\ \\\n B=2", "from_continued": "RUN true \\\n && touch /o", "empty_line_after_continued_comment": "RUN touch \\\n#x\n\n /o"}.items():
    CASES["line_" + name] = case(HEAD + body + "\n")
CASES["line_from_split"] = case("FROM \\\n  busybox \\\n AS \\\n one\nENV A=1\n")

# 2.4 directives
for name, text in {
        "escape_backtick": "# escape=`\nFROM busybox\nENV A=a`\n B=c\\d E=`$x\nRUN echo C:\\dir > /o\n", "escape_case": "#   EsCaPe =  `  \nFROM busybox\nENV A=1 `\n B=2\n", "escape_bad": "# escape=x\nFROM busybox\n", "escape_twice": "# escape=`\n# escape=`\nFROM busybox\n", "escape_after_comment": "# hello\n# escape=`\nFROM busybox\nENV A=a`\n",
        "escape_after_blank": "\n# escape=`\nFROM busybox\nENV A=a`b\n", "escape_after_instruction": "FROM busybox\n# escape=`\nENV A=a`b\n", "escape_after_unknown": "# unknown=1\n# escape=`\nFROM busybox\nENV A=a`b\n", "escape_indented": "  # escape=`\nFROM busybox\nENV A=1 `\n B=2\n", 
        "check_skip": "# check=skip=JSONArgsRecommended\nFROM busybox\nCMD echo\n", "check_skip_all": "# check=skip=all\nFROM busybox\nCMD echo\nENV A b\n", "check_error": "# check=error=true\nFROM busybox\nCMD echo\n", "check_error_clean": "# check=error=true\nFROM busybox\nENV A=1\n", "check_error_skip": "# check=error=true;skip=JSONArgsRecommended\nFROM busybox\nCMD echo\n",
        "check_two_rules": "# check=skip=JSONArgsRecommended,LegacyKeyValueFormat\nFROM busybox\nCMD echo\nENV A b\nMAINTAINER x\n", "check_bad": "# check=nope=1\nFROM busybox\n", "check_below_comment": "# hi\n# check=skip=all\nFROM busybox\nCMD echo\n", "check_on_instruction": "FROM busybox\n# check=skip=JSONArgsRecommended\nCMD echo\nENV A b\n",
        "check_on_other_instruction": "FROM busybox\n# check=skip=JSONArgsRecommended\nENV A=1\nCMD echo\n", "check_on_instruction_gap": "FROM busybox\n# check=skip=JSONArgsRecommended\n\nCMD echo\n", "check_twice": "# check=skip=all\n# check=skip=all\nFROM busybox\n", "directive_in_continuation": "# escape=` \\\nFROM busybox\nENV A=1\n"}.items():
    CASES["directive_" + name] = case(text)
CASES["directive_check_argument"] = case("# check=skip=all\nFROM busybox\nCMD echo\n", args={"BUILDKIT_DOCKERFILE_CHECK": "skip=none"})
CASES["directive_check_argument_error"] = case("FROM busybox\nCMD echo\n", args={"BUILDKIT_DOCKERFILE_CHECK": "error=true"})

# 2.7 flags
for name, body in {
        "bool_bare": "COPY --link f /f", "bool_true": "COPY --link=true f /f", "bool_case": "COPY --link=TRUE f /f", "bool_false": "COPY --link=False f /f", "bool_empty": "COPY --link= f /f", "bool_other": "COPY --link=yes f /f", "bool_one": "COPY --link=1 f /f", "value_missing": "COPY --chown f /f", "value_empty": "COPY --chown= f /f",
        "chmod_empty": "COPY --chmod= f /f", "from_empty": "COPY --from= f /f", "twice": "COPY --chown=1 --chown=2 f /f", "twice_bool": "COPY --link --link f /f", "exclude_twice": "COPY --exclude=a --exclude=b . /d/", "unknown_near": "COPY --chwon=1 f /f", "unknown_far": "COPY --something f /f", "unknown_on_env": "ENV --x A=1", "unknown_on_label": "LABEL --x a=1",
        "unknown_on_user": "USER --x me", "unknown_on_workdir": "WORKDIR --x /a", "unknown_on_expose": "EXPOSE --x 80", "unknown_on_volume": "VOLUME --x /a", "unknown_on_cmd": "CMD --x echo", "unknown_on_entrypoint": "ENTRYPOINT --x echo", "unknown_on_shell": 'SHELL --x ["/bin/sh"]', "unknown_on_onbuild": "ONBUILD --x RUN true", "unknown_on_maintainer": "MAINTAINER --x me",
        "ignored_on_stopsignal": "STOPSIGNAL --x 9", "ignored_on_arg": "ARG --x A=1", "ignored_on_healthcheck_none": "HEALTHCHECK --x NONE", "double_dash": "COPY -- f /f", "double_dash_run": "RUN -- touch /o", "flag_after_word": "RUN touch --no-create /o; touch /p", "quoted_value": 'COPY --chown="1:2" f /f', "escaped_value": "COPY --chown=1\\:2 f /f",
        "from_add": "ADD --from=0 f /f", "parents_add": "ADD --parents f /d/", "checksum_copy": "COPY --checksum=sha256:0 f /f", "upper_case_flag": "COPY --CHOWN=1 f /f", "single_dash": "COPY -chown=1 f /f", "network_bad": "RUN --network=bridge true", "security_bad": "RUN --security=none true", "device": "RUN --device=x true", "device_required": "RUN --device=x,required true", "device_twice": "RUN --device=x --device=name=y true", "device_bad": "RUN --device=x,nope true", "platform_on_run": "RUN --platform=linux/amd64 true",
        "from_unknown": "FROM --nope busybox", "keep_git_dir_on_file": "ADD --keep-git-dir f /f"}.items():
    CASES["flag_" + name] = case(HEAD + body + "\n")

# 2.8 the exec form
for name, body in {
        "blanks": 'RUN   [ "/bin/busybox" ,  "touch" , "/o" ]  ', "number": 'RUN ["echo", 1]', "null": "CMD [null]", "nested": 'CMD [["a"]]', "single_quotes": "CMD ['a', 'b']", "text_after": 'CMD ["a"] b', "unclosed": 'CMD ["a", "b"', "trailing_comma": 'CMD ["a",]', "empty_strings": 'CMD ["", "a"]', "empty_run": "RUN []", "unicode": 'CMD ["\\u00e4", "☃", "\\n", "\\\\", "\\""]',
        "not_json_run": "RUN [ -f /etc/passwd ] && touch /o", "object": 'CMD {"a": 1}', "volume": 'VOLUME ["/a b", "/c"]', "volume_not_json": "VOLUME ['/a']", "copy": 'COPY ["g h", "/new name"]', "copy_single_quotes": "COPY ['f', '/f']", "add": 'ADD ["g h", "/x/"]', "shell": 'SHELL ["/bin/sh", "-xc"]', "shell_empty": "SHELL []", "healthcheck": 'HEALTHCHECK CMD [ "a" , "b" ]',
        "healthcheck_number": "HEALTHCHECK CMD [1]", "copy_number": 'COPY ["f", 1]', "upper_escape": 'CMD ["a\\/b"]', "control": 'CMD ["a\tb"]', "variable_kept": 'ENV A=1\nCMD ["$A"]\nENTRYPOINT ["${A}"]', "expose_is_no_json": 'EXPOSE ["80"]', "user_is_no_json": 'USER ["a"]', "env_is_no_json": 'ENV ["a"]', "label_json_value": 'LABEL a=\'["x","y"]\''}.items():
    CASES["exec_" + name] = case(HEAD + body + "\n")

# 2.9, 2.10 words and pairs
for name, body in {
        "env_mixed_quotes": "ENV A=a'b c'd\"e f\"g", "env_escaped_quote": 'ENV A="a\\"b" B=\\"', "env_escaped_blank": "ENV A=a\\ b\\ c", "env_quoted_key": '"ENV" A=1', "env_key_in_quotes": 'ENV "A B"=1', "env_key_with_blank_single": "ENV 'A'=1", "env_equals_in_value": "ENV A=b=c==d", "env_dash_key": "ENV a-b.c=1", "env_no_equals_second": "ENV A=1 B", "env_no_name": "ENV =1",
        "env_legacy_quotes": 'ENV A "b  c"  d', "env_legacy_equals_later": "ENV A b=c", "env_legacy_trailing": "ENV A   b c   ", "env_legacy_no_value": "ENV A", "env_legacy_hash": "ENV A b # c", "env_nothing": "ENV", "env_single_quote_dollar": "ENV A='$PATH' B=\"$HOME\"", "env_unclosed_double": 'ENV A="b', "env_unclosed_single": "ENV A='b", "env_tabs": "ENV\tA=1\t\tB=2",
        "env_empty_quotes": "ENV A=\"\" B=''", "env_newline_escape": 'ENV A="a\\nb" B=a\\nb', "env_case": "ENV a=1 A=2", "env_duplicate": "ENV A=1 A=2", "env_unicode_key": "ENV käse=1 Ä=$käse", "env_expand_in_key": "ENV N=X\nENV $N=1 ${N}Y=2", "env_trailing_escape": "ENV A=a\\ ", "env_semicolons": "ENV A=a;b|c&d>e", "env_glob": "ENV A=* B=? C=[x]", "env_tilde": "ENV A=~/x",
        "label_legacy": "LABEL a b c", "label_no_equals": "LABEL a=1 b", "label_nothing": "LABEL", "label_no_value": "LABEL a", "label_no_name": "LABEL =x", "label_empty": "LABEL a=", "label_json": 'LABEL a="{\\"x\\": [1, 2]}"', "label_multi_line": 'LABEL a="1 \\\n  2" \\\n  b=3', "label_key_expanded": "ENV K=key\nLABEL $K=v \"${K}.x\"=w", "label_slash_key": "LABEL org.x/y=1 'a b'=2",
        "arg_quotes": "ARG A=\"b c\"\nARG B='d $A'\nARG C=\"$A\"\nENV X=$A Y=$B Z=$C", "arg_blank_name": "ARG =x", "arg_nothing": "ARG", "arg_legacy": "ARG A b", "arg_dash": "ARG a-b=1\nRUN true", "arg_empty": "ARG A=\nENV B=[$A]\nRUN true", "arg_digit": "ARG 1A=x\nENV B=${1A:-no}", "arg_bad_name": "ARG $X=1", "arg_escaped": "ARG A=a\\ b\nENV B=$A", "arg_key_not_expanded": "ARG A=B\nARG $A=c\nRUN true",
        "copy_quotes_mean_nothing": 'COPY "f" /f', "copy_blanks": "COPY   f\t\t/f  ", "user_blanks": "USER  me  you ", "workdir_blanks": "WORKDIR  /a b  ", "workdir_quotes": 'WORKDIR "/a b"', "workdir_single_quotes": "WORKDIR '/x $y'", "stopsignal_blanks": "STOPSIGNAL  9 ", "maintainer_quotes": 'MAINTAINER "Me <me@x>"', "maintainer_variable": "ENV A=1\nMAINTAINER $A",
        "volume_words": "VOLUME /a   /b\t/c", "volume_empty": "VOLUME", "volume_empty_word": 'VOLUME [""]', "volume_variable": "ENV V=/x\nVOLUME $V ${V}/y", "volume_quotes": 'VOLUME "/a b"', "volume_variable_blank": 'ENV V="/a /b"\nVOLUME $V', "user_quotes": 'USER "me"', "user_empty_variable": "USER $NOPE", "user_nothing": "USER", "workdir_nothing": "WORKDIR", "stopsignal_nothing": "STOPSIGNAL",
        "maintainer_nothing": "MAINTAINER", "cmd_nothing": "CMD", "entrypoint_nothing": "ENTRYPOINT", "run_nothing": "RUN", "shell_nothing": "SHELL", "onbuild_nothing": "ONBUILD", "healthcheck_nothing": "HEALTHCHECK", "expose_nothing": "EXPOSE", "copy_nothing": "COPY", "copy_one": "COPY f", "add_one": "ADD f", "copy_json_one": 'COPY ["f"]', "from_nothing": "FROM", "from_two": "FROM busybox x",
        "from_four": "FROM busybox AS a b", "from_not_as": "FROM busybox IS a", "unknown_near": "RUNN true", "unknown_far": "SOMETHING else", "unknown_alone": "\\", "stopsignal_two": "STOPSIGNAL 9 10", "instruction_glued": "RUN\u00a0true"}.items():
    CASES["word_" + name] = case(HEAD + body + "\n")

# 3 here-documents
for name, body in {
        "blank_before_name": "RUN << EOF\ntouch /o\nEOF", "blank_before_name_copy": "COPY EOF << /f\n", "two_scripts_one_shell": "RUN sh <<A && sh <<B\ntouch /a\nA\ntouch /b\nB", "descriptor": "RUN cat <&3 3<<EOF > /o\nhello\nEOF", "quoted_double": 'COPY <<"EOF" /f\n$PATH\nEOF', "quoted_partly": "COPY <<E'O'F /f\n$PATH\nEOF", "escaped_name": "COPY <<\\EOF /f\n$PATH\nEOF",
        "dash_tabs": "COPY <<-EOF /f\n\t\ta\n\t b\n  \tc\n\tEOF", "dash_terminator_blanks": "COPY <<-EOF /f\nx\n EOF\nEOF", "terminator_with_blank": "COPY <<EOF /f\nx\nEOF \nEOF", "unterminated": "COPY <<EOF /f\nx", "unterminated_run": "RUN <<EOF\ntouch /o", "empty_run": "RUN <<EOF\nEOF", "nested_looking": "COPY <<A /f\n<<B\nA", "escape_in_content": "COPY <<EOF /f\na\\$b \\\\ \\x \\\nend\nEOF",
        "variables": "ENV V=v\nARG W=w\nCOPY <<EOF /f\n$V ${W} ${V:-x} ${U:-u} ${V#v}x $ $1 \"$V\" '$V'\nEOF", "undefined": "COPY <<EOF /f\n[$NOPE]\nEOF", "bad_substitution": "COPY <<EOF /f\n${V\nEOF", "required": "COPY <<EOF /f\n${V:?need it}\nEOF", "quoted_bad_substitution": "COPY <<'EOF' /f\n${V\nEOF", "same_name_twice": "COPY <<EOF <<EOF /d/\none\nEOF\ntwo\nEOF", "name_in_destination": "COPY f <<EOF\nx\nEOF",
        "with_json": 'COPY ["<<EOF", "/f"]', "with_flags": "COPY --chmod=4711 --chown=3:4 --link <<EOF /n/m/f\nx\nEOF", "add_to_directory": "ADD <<a.txt <<b.txt /d/\none\na.txt\ntwo\nb.txt", "name_with_dot": "COPY <<my.conf /etc/\nx=1\nmy.conf", "mixed_order": "COPY <<z f <<a /d/\n1\nz\n2\na", "shebang_python_style": "RUN <<EOF\n#!/bin/busybox sh\necho $0 > /o\nEOF", "shebang_args": "RUN <<EOF\n#!/bin/busybox sh -e\nfalse\ntouch /o\nEOF",
        "shebang_dash": "RUN <<-EOF\n\t#!/bin/busybox sh\n\techo hi > /o\n\tEOF", "custom_shell": 'SHELL ["/bin/busybox", "sh", "-exc"]\nRUN <<EOF\ntrue\ntouch /o\nEOF', "comment_inside": "COPY <<EOF /f\n# kept\n\n  # kept too\nEOF", "escape_at_line_end": "RUN <<EOF\necho a \\\n  b > /o\nEOF", "continued_instruction": "COPY <<a \\\n <<b /d/\n1\na\n2\nb", "continued_before": "RUN --mount=type=tmpfs,target=/t \\\n <<EOF\ntouch /t/x /o\nEOF",
        "run_exec_not": 'RUN ["/bin/busybox", "touch", "/<<EOF"]', "run_quoted_word": "RUN echo '<<EOF' > /o", "run_attached": "RUN cat<<EOF > /o\nhi\nEOF", "run_less": "RUN test 1 -lt 2 && echo $((1<<3)) > /o", "run_dollar": "ENV A=1\nRUN <<EOF\nA=2\necho $A ${A} \\$A \"$(echo $A)\" > /o\nEOF", "run_quoted_dollar": "RUN <<\"EOF\"\nA=2\necho $A > /o\nEOF", "crlf_terminator": "RUN <<EOF\ntouch /o\r\nEOF\r",
        "long": "COPY <<EOF /f\n" + "".join("line %d\n" % i for i in range(300)) + "EOF", "utf8": "COPY <<ÄÖ /f\n☃\nÄÖ", "env_is_none": "ENV A=<<EOF", "label_is_none": "LABEL a=<<EOF", "cmd_is_none": "CMD cat <<EOF", "workdir_is_none": "WORKDIR /<<EOF", "dir_destination_missing_slash": "COPY <<a <<b /d\n1\na\n2\nb", "in_workdir": "WORKDIR /w\nCOPY <<a ./\n1\na", "onto_existing_directory": "COPY <<a /tmp\n1\na",
        "exclude": "COPY --exclude=a <<a <<b /d/\n1\na\n2\nb", "run_three": "RUN cat <<A - <<B > /o\n1\nA\n2\nB", "false_start": "RUN echo a << > /o; touch /o"}.items():
    CASES["heredoc_" + name] = case(HEAD + body + "\n")
CASES["heredoc_onbuild"] = case("FROM busybox AS a\nONBUILD RUN <<EOF\ntouch /t\nEOF\nONBUILD COPY <<x <<'y' /d/\n$PATH\nx\n$PATH\ny\nFROM a\nENV A=1\n")
CASES["heredoc_onbuild_kept"] = case("FROM busybox\nONBUILD RUN <<EOF\ntouch /t\nEOF\nONBUILD COPY <<-x /d/\n\tone\n\tx\n")
CASES["heredoc_backtick_escape"] = case("# escape=`\nFROM busybox\nCOPY <<EOF /f\na\\$PATH `$PATH `\nx\nEOF\n")
