//! Every repository here is made by the real `git`, away from the configuration of whoever runs the tests.

mod commits;
mod filters;
mod sandbox;
mod stores;
mod work_trees;
