//! Many images, asked about side by side.
//!
//! In: images and a question. Out: an answer for each. It must never leave one out.

use super::image_prefix::Image;
use rebake_planner::{decide::TagState, discover::service_name::ServiceName};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// As many questions as are asked at a time.
const ASKED_AT_A_TIME: usize = 8;

/// What knows which images there are.
pub trait ContentTags: Sync {
    /// Whether an image is there.
    fn state(&self, image: &Image) -> TagState;
}

/// Asks whether the images of services are there.
pub fn tag_states(
    registry: &dyn ContentTags,
    images: &[(ServiceName, Image)],
) -> BTreeMap<ServiceName, TagState> {
    for_each_image(images, &|image| registry.state(image))
}

/// Asks the same about the images of services, some of them at a time.
pub fn for_each_image<Answer: Send>(
    images: &[(ServiceName, Image)],
    ask: &(dyn Fn(&Image) -> Answer + Sync),
) -> BTreeMap<ServiceName, Answer> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..ASKED_AT_A_TIME.min(images.len()) {
            scope.spawn(|| {
                while let Some((service, image)) = images.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let answer = ask(image);
                    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                    answers.insert(service.clone(), answer);
                }
            });
        }
    });
    answers.into_inner().unwrap_or_else(PoisonError::into_inner)
}
