//! Named contexts: images put into the places where a Dockerfile has names for them.
//!
//! Newer frontends of BuildKit look such names up by themselves; the ones that daemons have built in,
//! and the classic builders, do not. All of them know `FROM image` and `--from=image`.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::{self, Line};
use super::{Dockerfile, vars::Scope};
use crate::app::familiar;

/// A Dockerfile with images in the place of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its text. Every line has the number that it had before, for errors of the builder.
    pub text: String,
    /// The names that it has a use for.
    pub used: BTreeSet<String>,
}

/// Puts images into the places where a Dockerfile names them, in `FROM`, `COPY --from` and
/// `RUN --mount=from`. A name goes before a stage, and before an image, that has it, too.
pub fn place(
    text: &str,
    images: &BTreeMap<String, String>,
    args: &BTreeMap<String, String>,
) -> Placed {
    let file = Dockerfile::parse(text);
    let scope = file.global_scope(args);
    let escape = file.directives.escape;
    let names: BTreeMap<String, (&String, &String)> = images
        .iter()
        .map(|(name, image)| (key(name), (name, image)))
        .collect();
    let mut placed = Placed {
        text: String::with_capacity(text.len()),
        used: BTreeSet::new(),
    };
    let (_, instructions) = lines::split(text);
    let mut raw = text.lines().zip(1..).peekable();
    let mut copy = |until: usize, out: &mut String| {
        while let Some((line, _)) = raw.next_if(|(_, number)| *number < until) {
            out.push_str(line);
            out.push('\n');
        }
    };
    let mut skipped = String::new();
    for line in &instructions {
        let Some((rest, used)) = replaced(line, &names, &scope, escape) else {
            continue;
        };
        copy(line.number, &mut placed.text);
        copy(line.end + 1, &mut skipped);
        // In front: the body of a heredoc follows it.
        placed.text.extend((line.number..line.end).map(|_| '\n'));
        placed.text.push_str(&format!("{} {rest}\n", line.keyword));
        placed.used.extend(used);
    }
    copy(usize::MAX, &mut placed.text);
    placed
}

/// Names are compared as those of images are: the builder takes `alpine` for `alpine:latest`.
fn key(name: &str) -> String {
    familiar(&name.to_lowercase())
}

type Names<'a> = BTreeMap<String, (&'a String, &'a String)>;

/// What follows an instruction's word, with images for names; `None` where there is none in it.
fn replaced(
    line: &Line,
    names: &Names<'_>,
    scope: &Scope,
    escape: char,
) -> Option<(String, Vec<String>)> {
    let words = lines::raw_words(&line.rest, escape);
    let flags = words.iter().take_while(|word| word.starts_with("--"));
    let flags = flags.count();
    let find = |name: &str| names.get(&key(&scope.expand(name, escape)?)).copied();
    let mut used = Vec::new();
    let mut out = String::new();
    let mut rest = line.rest.as_str();
    for (index, word) in words.iter().enumerate().take(flags + 1) {
        let (before, after) = rest.split_once(word.as_str())?;
        out.push_str(before);
        rest = after;
        let found = match line.keyword.as_str() {
            "FROM" if index == flags => find(word).map(|(name, image)| (name, image.clone())),
            "COPY" if index < flags => word.strip_prefix("--from=").and_then(|name| {
                let (name, image) = find(name)?;
                Some((name, format!("--from={image}")))
            }),
            "RUN" if index < flags => mount(word, find),
            _ => None,
        };
        match found {
            Some((name, word)) => {
                used.push(name.clone());
                out.push_str(&word);
            }
            None => out.push_str(word),
        }
    }
    out.push_str(rest);
    (!used.is_empty()).then_some((out, used))
}

/// `--mount=type=bind,from=NAME,…`.
fn mount<'a>(
    word: &str,
    find: impl Fn(&str) -> Option<(&'a String, &'a String)>,
) -> Option<(&'a String, String)> {
    let mut used = None;
    let fields = word.strip_prefix("--mount=")?.split(',');
    let fields = fields.map(|field| match field.strip_prefix("from=").and_then(&find) {
        Some((name, image)) => {
            used = Some(name);
            format!("from={image}")
        }
        None => field.to_owned(),
    });
    let fields: Vec<_> = fields.collect();
    Some((used?, format!("--mount={}", fields.join(","))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> (String, Vec<String>) {
        let pairs = [
            ("base", "shop-base:1"),
            ("files", "shop-web:context-2"),
            ("docker.io/library/alpine", "mirror/alpine:3"),
            ("golang:1.21", "golang:1.22"),
        ];
        let images = pairs.map(|(name, image)| (name.to_owned(), image.to_owned()));
        let placed = place(text, &images.into(), &BTreeMap::new());
        (placed.text, placed.used.into_iter().collect())
    }

    #[test]
    fn images_take_the_places_of_names() {
        let cases = [
            ("FROM base\n", "FROM shop-base:1\n"),
            (
                "from --platform=linux/arm64 Base as x\nRUN a",
                "FROM --platform=linux/arm64 shop-base:1 as x\nRUN a\n",
            ),
            ("FROM alpine", "FROM mirror/alpine:3\n"),
            ("FROM alpine:latest", "FROM mirror/alpine:3\n"),
            ("FROM golang:1.21", "FROM golang:1.22\n"),
            (
                "ARG B=base\nFROM ${B}\nCOPY --chown=1 --from=files a b\n",
                "ARG B=base\nFROM shop-base:1\nCOPY --chown=1 --from=shop-web:context-2 a b\n",
            ),
            (
                "FROM x\nRUN --mount=type=bind,from=files,target=/f cat /f/base\n",
                "FROM x\nRUN --mount=type=bind,from=shop-web:context-2,target=/f cat /f/base\n",
            ),
            // A stage of that name is passed over.
            (
                "FROM x AS base\nFROM base\n",
                "FROM x AS base\nFROM shop-base:1\n",
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(shown(text).0, wanted, "{text}");
        }
    }

    #[test]
    fn all_else_stays_as_it_is_on_its_line() {
        let text = "# escape=`\nFROM `\n  # why\n  base `\n  AS b\nRUN --mount=from=files,target=/f <<E\n\
                    FROM base\nE\nCOPY base files /\nLABEL from=base\nCOPY --from=0 base /\nRUN x --from=base\n";
        let wanted = "# escape=`\n\n\n\nFROM shop-base:1   AS b\n\
                      RUN --mount=from=shop-web:context-2,target=/f <<E\n\
                      FROM base\nE\nCOPY base files /\nLABEL from=base\nCOPY --from=0 base /\nRUN x --from=base\n";
        let (text, used) = shown(text);
        assert_eq!(text, wanted);
        assert_eq!(used, ["base", "files"]);
        assert_eq!(shown("FROM x\r\nRUN a").1, Vec::<String>::new());
    }
}
