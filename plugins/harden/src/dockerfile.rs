//! Who runs a container, according to the Dockerfile that its image is built from.

/// The last `USER` of the final stage, or of the stage that it is built on; `None` where neither
/// has one. What a base image says can't be seen from here.
pub fn final_user(dockerfile: &str) -> Option<String> {
    let mut stages: Vec<Stage> = Vec::new();
    for instruction in instructions(dockerfile) {
        let mut words = instruction.split_ascii_whitespace();
        let Some(keyword) = words.next() else {
            continue;
        };
        if keyword.eq_ignore_ascii_case("FROM") {
            stages.push(stage(words, &stages));
        } else if keyword.eq_ignore_ascii_case("USER")
            && let (Some(stage), Some(user)) = (stages.last_mut(), words.next())
        {
            stage.user = Some(user.trim_matches(['"', '\'']).to_owned());
        }
    }
    stages.pop()?.user
}

struct Stage {
    name: Option<String>,
    user: Option<String>,
}

/// `FROM [--platform=…] base [AS name]`; a stage starts with the user of the stage it builds on.
fn stage<'a>(words: impl Iterator<Item = &'a str>, before: &[Stage]) -> Stage {
    let mut words = words.filter(|word| !word.starts_with("--"));
    let base = words.next().unwrap_or_default();
    let name = words.nth(1);
    let parent = before
        .iter()
        .rfind(|stage| (stage.name.as_deref()).is_some_and(|name| name.eq_ignore_ascii_case(base)));
    Stage {
        name: name.map(str::to_owned),
        user: parent.and_then(|stage| stage.user.clone()),
    }
}

/// The instructions, each on one line: without comments and here-documents, and with continued
/// lines joined.
fn instructions(dockerfile: &str) -> Vec<String> {
    let escape = escape_character(dockerfile);
    let mut instructions = Vec::new();
    let mut open = String::new();
    let mut lines = dockerfile.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(continued) = line.strip_suffix(escape) {
            open.push_str(continued);
            open.push(' ');
            continue;
        }
        open.push_str(line);
        for end in here_documents(&open) {
            for text in lines.by_ref() {
                if text.trim_start_matches('\t') == end {
                    break;
                }
            }
        }
        instructions.push(std::mem::take(&mut open));
    }
    instructions.push(open);
    instructions
}

/// A first line `# escape=` chooses another character than the backslash.
fn escape_character(dockerfile: &str) -> char {
    let directives = dockerfile
        .lines()
        .map_while(|line| line.trim_ascii().strip_prefix('#'));
    for directive in directives {
        if let Some((name, value)) = directive.split_once('=')
            && name.trim_ascii().eq_ignore_ascii_case("escape")
        {
            return value.trim_ascii().chars().next().unwrap_or('\\');
        }
    }
    '\\'
}

/// The words that end the here-documents of an instruction, in order.
fn here_documents(instruction: &str) -> Vec<String> {
    let keyword = instruction.split_ascii_whitespace().next().unwrap_or("");
    let takes_them = ["RUN", "COPY", "ADD"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(keyword));
    if !takes_them {
        return Vec::new();
    }
    instruction
        .split_ascii_whitespace()
        .filter_map(|word| {
            // `3<<EOF` names a file descriptor, `<<<` is a here-string.
            let (descriptor, end) = word.split_at(word.find('<')?);
            let end = end.strip_prefix("<<")?;
            let end = end.strip_prefix('-').unwrap_or(end);
            let end = end.trim_matches(['"', '\'']);
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let named = end.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            (named && end.chars().all(plain) && descriptor.chars().all(|c| c.is_ascii_digit()))
                .then(|| end.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(dockerfile: &str) -> String {
        final_user(dockerfile).unwrap_or_default()
    }

    #[test]
    fn the_last_user_of_the_last_stage_counts() {
        assert_eq!(user("FROM a\nUSER one\nRUN x\nuser 2:3\n"), "2:3");
        assert_eq!(user("FROM a\nUSER one\nFROM b\n"), "");
        assert_eq!(user("FROM a\nUSER one\nFROM b\nUSER two"), "two");
        assert_eq!(user("FROM a\nUSER \"one\"\n"), "one");
        assert_eq!(user("FROM a\n"), "");
        assert_eq!(user("USER one\n"), "");
        assert_eq!(user(""), "");
    }

    #[test]
    fn a_stage_inherits_from_the_stage_it_builds_on() {
        let base = "FROM --platform=linux/amd64 a AS Base\nUSER one\n";
        assert_eq!(user(&format!("{base}FROM base\nRUN x\n")), "one");
        assert_eq!(user(&format!("{base}FROM base AS y\nUSER root\n")), "root");
        assert_eq!(user(&format!("{base}FROM other\n")), "");
    }

    #[test]
    fn comments_continued_lines_and_here_documents_are_no_instructions() {
        assert_eq!(user("FROM a\n# USER one\n"), "");
        assert_eq!(user("FROM a\nRUN echo \\\n# why\n\n  USER one\n"), "");
        assert_eq!(user("FROM a\nUSER \\\n  one\n"), "one");
        assert_eq!(user("# escape=`\nFROM a\nRUN x `\nUSER one\n"), "");
        assert_eq!(user("FROM a\nRUN <<EOF\nUSER one\nEOF\nUSER two\n"), "two");
        assert_eq!(user("FROM a\nCOPY <<-\"X\" /y\nUSER one\n\tX\n"), "");
        assert_eq!(user("FROM a\nRUN cat <<<EOF\nUSER one\n"), "one");
        assert_eq!(user("FROM a\nRUN cat <<EOF\nUSER one\n"), "");
    }
}
