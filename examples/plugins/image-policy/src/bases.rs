//! The images that a Dockerfile takes something from.

/// An image that a Dockerfile names.
#[derive(Debug, PartialEq)]
pub struct Base {
    /// The line that the instruction starts on, from 1.
    pub line: usize,
    /// The image, with build arguments put in; what is not known stays, with its `$`.
    pub image: String,
}

/// The images after `FROM`, `COPY --from=` and `RUN --mount=from=` that are neither `scratch` nor
/// a stage. `args` are the build arguments, which win over the defaults in the file.
pub fn bases(dockerfile: &str, args: &[(String, String)]) -> Vec<Base> {
    let mut stages = vec!["scratch".to_owned()];
    let mut variables = Vec::new();
    let mut bases = Vec::new();
    for (line, text) in instructions(dockerfile) {
        let mut words = text.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        let images: Vec<String> = match keyword.as_str() {
            // Only an ARG before the first FROM can be used in a FROM.
            "ARG" if stages.len() == 1 => {
                variables.extend(words.filter_map(|word| default(word, args)));
                continue;
            }
            "FROM" => {
                let mut words = words.filter(|word| !word.starts_with("--"));
                let image = filled_in(words.next().unwrap_or_default(), &variables);
                let known = stages.contains(&image.to_ascii_lowercase());
                // Unnamed stages count too: `COPY --from=0`.
                let name = words.nth(1).unwrap_or_default().to_ascii_lowercase();
                stages.push(((stages.len() - 1) / 2).to_string());
                stages.push(name);
                if known { continue } else { vec![image] }
            }
            _ => (words.take_while(|word| word.starts_with("--")))
                .flat_map(|word| word.trim_start_matches("--mount=").split(','))
                .filter_map(|option| option.trim_start_matches("--").strip_prefix("from="))
                .filter(|from| !stages.contains(&from.to_ascii_lowercase()))
                .map(str::to_owned)
                .collect(),
        };
        bases.extend(images.into_iter().map(|image| Base { line, image }));
    }
    bases
}

/// The instructions with the line that each starts on: continued lines joined, comments left out.
/// Lines of a here-document are taken for instructions, which can only refuse too much.
fn instructions(dockerfile: &str) -> Vec<(usize, String)> {
    let directive = |line: &str| {
        line.replace(' ', "")
            .strip_prefix("#escape=")
            .map(str::to_owned)
    };
    let escape = dockerfile
        .lines()
        .find_map(directive)
        .unwrap_or_else(|| "\\".to_owned());
    let mut instructions: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in dockerfile.lines().enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let text = line.strip_suffix(&escape);
        match instructions.last_mut() {
            Some((_, before)) if open => {
                before.push(' ');
                before.push_str(text.unwrap_or(line));
            }
            _ => instructions.push((index + 1, text.unwrap_or(line).to_owned())),
        }
        open = text.is_some();
    }
    instructions
}

/// What an ARG is worth: the build argument, or the default in the file.
fn default(word: &str, args: &[(String, String)]) -> Option<(String, String)> {
    let (name, default) = match word.split_once('=') {
        Some((name, default)) => (name, Some(default.trim_matches(['"', '\'']))),
        None => (word, None),
    };
    let given = args.iter().find(|(given, _)| given == name);
    let value = given.map(|(_, value)| value.as_str()).or(default)?;
    Some((name.to_owned(), value.to_owned()))
}

/// A text with `$NAME` and `${NAME}` put in. Anything else that starts with `$` stays.
fn filled_in(text: &str, variables: &[(String, String)]) -> String {
    let mut parts = text.split('$');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let known = variables.iter().rev().find_map(|(name, value)| {
            let rest = match part.strip_prefix('{') {
                Some(braced) => braced.strip_prefix(name)?.strip_prefix('}')?,
                None => part.strip_prefix(name)?,
            };
            let longer = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            (part.starts_with('{') || !longer).then(|| format!("{value}{rest}"))
        });
        filled.push_str(&known.unwrap_or_else(|| format!("${part}")));
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(dockerfile: &str) -> Vec<(usize, String)> {
        let bases = bases(dockerfile, &[("TAG".to_owned(), "13".to_owned())]);
        bases
            .into_iter()
            .map(|base| (base.line, base.image))
            .collect()
    }

    #[test]
    fn stages_and_scratch_are_no_bases() {
        let dockerfile = "FROM --platform=linux/amd64 golang:1 AS Build\nRUN true\n\
             from build as again\nFROM scratch\nCOPY --from=build --chown=1 /a /a\n\
             COPY --from=0 /b /b\nFROM debian:12\n";
        let expected = [(1, "golang:1".to_owned()), (7, "debian:12".to_owned())];
        assert_eq!(images(dockerfile), expected);
    }

    #[test]
    fn no_way_to_name_an_image_is_missed() {
        let dockerfile = "FROM \\\n  # why\n  a:1\nCOPY --from=b:1 /b /\n\
             RUN --mount=type=bind,from=c:1,target=/c true\n";
        let expected = [(1, "a:1"), (4, "b:1"), (5, "c:1")];
        assert_eq!(
            images(dockerfile),
            expected.map(|(line, image)| (line, image.to_owned()))
        );
        assert_eq!(images("# escape=`\nFROM `\na:1\n"), [(2, "a:1".to_owned())]);
    }

    #[test]
    fn arguments_are_put_in_and_what_is_unknown_stays() {
        let image = |from: &str| {
            let dockerfile = format!("ARG TAG=12 NAME=\"debian\"\nARG REGISTRY\nFROM {from}\n");
            images(&dockerfile).remove(0).1
        };
        assert_eq!(image("${NAME}:$TAG"), "debian:13");
        assert_eq!(image("$REGISTRY/$NAME:1"), "$REGISTRY/debian:1");
        assert_eq!(image("$NAMES:${TAG:-1}"), "$NAMES:${TAG:-1}");
    }
}
