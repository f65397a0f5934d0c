//! Waiting for the end of a job, in one request and without asking again and again.

use std::{net::IpAddr, time::Duration};

use protocol::JobRecord;

use super::{Api, Problem};
use crate::{identity::Identity, jobs::Which};

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// Reads `30s` or `500ms`.
pub(super) fn parse(text: &str) -> Result<Duration, Problem> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s').unwrap_or(""), 1000),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let number = digits.parse::<u32>().ok().filter(|_| plain);
    let wait = number.map(|number| Duration::from_millis(u64::from(number) * unit));
    wait.filter(|wait| *wait <= LONGEST)
        .ok_or_else(|| Problem::malformed("`wait` is from 1ms to 60s, such as `30s` or `500ms`"))
}

impl Api {
    /// The record of a job once it is over, or as it is after this time. It is looked at only after its channel is
    /// followed, so that its end can't be missed in between.
    pub(super) async fn wait(
        &self,
        who: &Identity,
        which: &Which,
        address: Option<IpAddr>,
        wait: Duration,
    ) -> Result<JobRecord, Problem> {
        let jobs = &self.shared.jobs;
        let job = jobs.get(who, which).await?;
        if job.state.is_terminal() {
            return Ok(job);
        }
        let (stay, _permit) = self.stay(who, address)?;
        let watch = self.watch(&job, stay.id());
        let over = async {
            watch.ready().await?;
            loop {
                let job = jobs.get(who, which).await?;
                if job.state.is_terminal() {
                    return Ok(job);
                }
                watch.may_be_over(job.id).await;
            }
        };
        match tokio::time::timeout(wait, stay.unless_asked_to_leave(over)).await {
            Ok(Some(job)) => job,
            Ok(None) | Err(_) => Ok(jobs.get(who, which).await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn waits_are_bounded() {
        assert_eq!(parse("30s").unwrap(), Duration::from_secs(30));
        assert_eq!(parse("60s").unwrap(), Duration::from_secs(60));
        assert_eq!(parse("1ms").unwrap(), Duration::from_millis(1));
        assert_eq!(parse("60000ms").unwrap(), Duration::from_secs(60));
        for wrong in [
            "",
            "0s",
            "61s",
            "60001ms",
            "5",
            "s",
            "ms",
            "-1s",
            "+1s",
            "01s",
            "1.5s",
            "1m",
            " 1s",
            "99999999999s",
        ] {
            assert_eq!(parse(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }
}
