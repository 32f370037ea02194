//! Every repository here is made by the real `git`, away from the configuration of whoever runs the tests.

#[cfg(unix)]
mod by_difference;
mod commits;
mod filters;
#[cfg(unix)]
mod plans;
mod sandbox;
#[cfg(unix)]
mod saved;
mod stores;
mod work_trees;
