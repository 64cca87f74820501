//! The build context that a case gives.

use std::collections::BTreeMap;

use crate::plugin::ContextAccess;

/// Files by their paths.
#[derive(Debug)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    pub fn new(files: &BTreeMap<String, String>) -> Self {
        let files = files.iter();
        Self(
            files
                .map(|(path, text)| (path.clone(), text.clone().into_bytes()))
                .collect(),
        )
    }
}

impl ContextAccess for Files {
    fn files(&self) -> Result<Vec<String>, String> {
        Ok(self.0.keys().cloned().collect())
    }

    fn has_file(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    fn read_file(&self, path: &str, limit: usize) -> Result<Vec<u8>, String> {
        match self.0.get(path) {
            Some(contents) if contents.len() > limit => {
                Err(format!("`{path}` has more than {limit} bytes"))
            }
            Some(contents) => Ok(contents.clone()),
            None => Err(format!("there is no file `{path}` in the build context")),
        }
    }
}
