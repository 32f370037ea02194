//! Services shared out among jobs.
//!
//! In: the services to build, and how many jobs a CI takes. Out: [`JobBatch`]es: one service each while there are jobs
//! enough, else as even as can be. It must never leave a service out.

use rebake_planner::discover::service_name::ServiceName;
use std::num::NonZeroUsize;

/// The names of a job's services travel in one variable, and Linux starts no program with a longer one.
const LONGEST_VARIABLE: usize = 120_000;

/// How many jobs a run may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxJobs(pub NonZeroUsize);

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobBatch {
    /// What it is called: its service, or its number among the batches. Unique in a run.
    pub name: String,
    /// Its number, from 1.
    pub number: usize,
    /// Its services, sorted.
    pub services: Vec<ServiceName>,
}

/// A plan that is too large for a CI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A job would have too many services.
    #[error(
        "{services} services do not fit into {jobs} jobs: a job's list of names would have {length} bytes, and a variable takes {LONGEST_VARIABLE}; raise --max-jobs"
    )]
    Batch {
        /// How many there are in all.
        services: usize,
        /// How many jobs there may be.
        jobs: usize,
        /// How long the longest list would be.
        length: usize,
    },
    /// A document would be larger than what the CI takes.
    #[error(
        "{what} would have {size} bytes, and {service} takes {limit}; plan fewer services at once, with --services"
    )]
    Document {
        /// What is too large.
        what: &'static str,
        /// Which CI.
        service: &'static str,
        /// How large it would be.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// A text that a form has no way to write.
    #[error("`{}` can't be written into {into}: it holds {character:?}", text.escape_debug())]
    Unwritable {
        /// The text.
        text: String,
        /// The form.
        into: &'static str,
        /// What it can't hold.
        character: char,
    },
}

/// Shares services out among jobs.
///
/// # Errors
/// When a job would have more services than a variable can hold.
pub fn batches(services: &[ServiceName], max_jobs: MaxJobs) -> Result<Vec<JobBatch>, LimitError> {
    let jobs = max_jobs.0.get().min(services.len());
    if jobs == services.len() {
        return Ok(services
            .iter()
            .enumerate()
            .map(|(index, service)| JobBatch {
                name: service.to_string(),
                number: index + 1,
                services: vec![service.clone()],
            })
            .collect());
    }
    let (size, larger) = (services.len() / jobs, services.len() % jobs);
    let mut rest = services;
    let mut batches = Vec::with_capacity(jobs);
    for number in 1..=jobs {
        let (batch, others) = rest.split_at(size + usize::from(number <= larger));
        rest = others;
        let batch = JobBatch {
            name: format!("batch-{number}-of-{jobs}"),
            number,
            services: batch.to_vec(),
        };
        let length = batch.service_list().len();
        if length > LONGEST_VARIABLE {
            return Err(LimitError::Batch {
                services: services.len(),
                jobs,
                length,
            });
        }
        batches.push(batch);
    }
    Ok(batches)
}

impl JobBatch {
    /// The names, with a space between: made of `a-z`, `0-9` and `-`, none starting with `-`, so that a shell takes each
    /// for one word and no option.
    pub fn service_list(&self) -> String {
        let names: Vec<&str> = self.services.iter().map(ServiceName::as_str).collect();
        names.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(number: usize) -> Vec<ServiceName> {
        (0..number)
            .map(|number| format!("service-{number:05}").parse().unwrap())
            .collect()
    }

    fn max(jobs: usize) -> MaxJobs {
        MaxJobs(NonZeroUsize::new(jobs).unwrap())
    }

    #[test]
    fn every_service_has_a_job_and_none_has_two() {
        for (number, jobs, expected, largest) in [
            (0, 256, 0, 0),
            (1, 256, 1, 1),
            (256, 256, 256, 1),
            (257, 256, 256, 2),
            (5_000, 256, 256, 20),
            (5_000, 200, 200, 25),
            (10, 3, 3, 4),
            (10, 1, 1, 10),
        ] {
            let services = services(number);
            let batches = batches(&services, max(jobs)).unwrap();
            assert_eq!(batches.len(), expected, "{number} in {jobs}");
            let shared: Vec<ServiceName> = batches
                .iter()
                .flat_map(|batch| batch.services.clone())
                .collect();
            assert_eq!(shared, services);
            let sizes: Vec<usize> = batches.iter().map(|batch| batch.services.len()).collect();
            assert_eq!(sizes.iter().max().copied().unwrap_or_default(), largest);
            // As even as can be.
            assert!(sizes.iter().all(|size| size + 1 >= largest));
            let mut names: Vec<&str> = batches.iter().map(|batch| batch.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), expected, "names are unique");
        }
    }

    #[test]
    fn a_job_that_no_shell_could_start_is_refused() {
        let error = batches(&services(20_000), max(1)).unwrap_err();
        assert!(matches!(error, LimitError::Batch { jobs: 1, .. }));
        assert!(error.to_string().contains("raise --max-jobs"), "{error}");
    }
}
