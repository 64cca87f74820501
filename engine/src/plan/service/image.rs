//! The image of a service: found, or planned to be had.

use std::collections::BTreeMap;

use super::super::builder::{Builder, Step};
use super::super::changed::changed;
use super::super::planner::is_new;
use super::super::{Cause, OperationKind};
use super::{Fate, Image, ServicePlan};
use crate::app::{ImageSource, Name, PullPolicy, SERVICE_MODE, familiar};

impl<'a> ServicePlan<'a> {
    /// Finds the image, or plans to get it. `images` has those of the services before it.
    pub fn get_image(&mut self, images: &BTreeMap<&Name, Image>, builder: &mut Builder) -> Image {
        if let Some(id) = &self.service.image_id {
            let image = Image::There(id.clone());
            self.image = Some(image.clone());
            return image;
        }
        let built = self.wanted.builder_of(self.service);
        let image = match built.and_then(|other| images.get(other)) {
            Some(image) => image.clone(),
            None => self.own_image(images, builder),
        };
        self.image = Some(image.clone());
        image
    }

    fn own_image(&self, images: &BTreeMap<&Name, Image>, builder: &mut Builder) -> Image {
        match &self.service.image {
            ImageSource::Image(reference) => match self.observed.references.get(reference) {
                Some(facts) => Image::There(facts.id.clone()),
                None if self.service.pull == PullPolicy::Never => {
                    // It is a conflict; what is planned tells what would be done.
                    Image::There(reference.clone())
                }
                None => {
                    let kind = OperationKind::Pull {
                        reference: reference.clone(),
                    };
                    Image::Coming(self.push(builder, 0, kind, Cause::NoImage, []))
                }
            },
            ImageSource::Build(_) => {
                let on = self.service.builds_on.iter();
                let mut coming = on.filter_map(|other| Some((other, images.get(other)?.step()?)));
                let steps: Vec<Step> = coming.clone().map(|(_, step)| step).collect();
                let cause = match (self.why_build(), coming.next()) {
                    (Ok(id), None) => return Image::There(id),
                    // What it is built on may be another image under the same name.
                    (Ok(_), Some((other, _))) => Cause::BaseChanged {
                        reference: format!("{SERVICE_MODE}{other}"),
                    },
                    (Err(cause), _) => cause,
                };
                let kind = OperationKind::Build {
                    inputs: self.service.build_inputs.clone(),
                    bases: self.bases(),
                };
                Image::Coming(self.push(builder, 0, kind, cause, steps))
            }
        }
    }

    /// The base images that the daemon has.
    fn bases(&self) -> BTreeMap<String, String> {
        let bases = self.service.bases.iter().filter_map(|reference| {
            let facts = self.observed.references.get(reference)?;
            Some((reference.clone(), facts.id.clone()))
        });
        bases.collect()
    }

    /// The id of the image that was built from the same, or why one is to be built.
    fn why_build(&self) -> Result<String, Cause> {
        if self.wanted.rebuild {
            return Err(Cause::Asked);
        }
        let fingerprint = self.service.build_inputs.fingerprint();
        let mut images: Vec<_> = self
            .observed
            .images
            .iter()
            .filter(|image| image.service.as_ref() == Some(&self.service.name))
            .collect();
        images.sort_by_key(|image| std::cmp::Reverse(image.created));
        let Some(same) = images.iter().find(|image| image.fingerprint == fingerprint) else {
            return Err(images.first().map_or(Cause::NoImage, |last| {
                changed(&last.inputs, &self.service.build_inputs)
            }));
        };
        // A base that was not on the daemon then, or is not now, tells nothing: builders fetch
        // bases without keeping them where they can be seen.
        let now = self.bases();
        match same
            .bases
            .iter()
            .find(|(name, then)| now.get(*name).is_some_and(|now| now != *then))
        {
            Some((reference, _)) => Err(Cause::BaseChanged {
                reference: reference.clone(),
            }),
            None => Ok(same.id.clone()),
        }
    }

    /// Lets plugins judge a built image. Not only after a build: an image that was refused, or
    /// that an interrupted deploy left, is there too.
    pub(super) fn post_build(&self, places: &[Fate<'_>], builder: &mut Builder) -> Option<Step> {
        let built = matches!(self.service.image, ImageSource::Build(_));
        let judges = !self.service.post_build_plugins.is_empty();
        if !built || !judges || !places.iter().any(is_new) {
            return None;
        }
        let image = self.image.as_ref();
        let kind = OperationKind::PostBuild {
            image: image.and_then(Image::id).map(str::to_owned),
        };
        let after = image.and_then(Image::step);
        Some(self.push(builder, 0, kind, Cause::Next, after))
    }

    /// Gives the image the names that were asked for: to what has proven healthy, as `latest`.
    pub fn tag(&self, builder: &mut Builder) {
        let Some(build) = self.service.image.build() else {
            return;
        };
        let image = self.image.as_ref();
        let id = image.and_then(Image::id);
        let own = |tag: &&String| self.wanted.tagged(tag) == Some(&self.service.name);
        let has = |tag: &String| {
            let mut images = self.observed.images.iter();
            let there = images.find(|image| Some(image.id.as_str()) == id);
            let mut tags = there.into_iter().flat_map(|image| &image.tags);
            tags.any(|there| familiar(there) == familiar(tag))
        };
        let tags: Vec<String> = build.tags.iter().filter(own).cloned().collect();
        let tags: Vec<String> = tags.into_iter().filter(|tag| !has(tag)).collect();
        if tags.is_empty() {
            return;
        }
        let kind = OperationKind::Tag {
            image: id.map(str::to_owned),
            tags,
        };
        let after = image.and_then(Image::step).into_iter();
        let after = after.chain(self.committed.iter().copied());
        self.push(builder, 0, kind, Cause::Missing, after);
    }
}
