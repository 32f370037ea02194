//! Many tags, asked for side by side.
//!
//! In: a registry and images. Out: what it says of each. It must never leave one out.

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

/// Asks for the images of services.
pub fn tag_states(
    registry: &dyn ContentTags,
    images: &[(ServiceName, Image)],
) -> BTreeMap<ServiceName, TagState> {
    let next = AtomicUsize::new(0);
    let states = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..ASKED_AT_A_TIME.min(images.len()) {
            scope.spawn(|| {
                while let Some((service, image)) = images.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let state = registry.state(image);
                    let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
                    states.insert(service.clone(), state);
                }
            });
        }
    });
    states.into_inner().unwrap_or_else(PoisonError::into_inner)
}
