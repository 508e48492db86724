//! The cluster after Git: the Application is made to hold what the branch says.

use image_gitops_core::{reason::Reason, resource::Resource, spec::Deploy, yaml::Locator};
use image_gitops_kube::{Follow, Followed, KubeError, Want};

use super::{Service, tell};
use crate::{
    pipeline::after::Says,
    report::{JobReport, chain},
};

/// What became of the Application.
pub(super) type Deployed = Option<Result<Follow, KubeError>>;

/// Makes the Application follow; `None` where there is nothing to follow, or the resource says not to.
pub(super) async fn follow(
    service: &Service,
    resource: &Resource,
    report: &JobReport,
    commit: Option<&str>,
) -> Deployed {
    let says: &Says = report.says.as_ref()?;
    if resource.deploy == Deploy::GitOnly || report.reason == Reason::Suspended {
        return None;
    }
    let want = want(resource, says, commit)?;
    let application = want.application;
    let followed = service.applications.follow(&resource.id.namespace, &want).await;
    if let Ok(Follow { followed: Followed::Patched { from }, .. }) = &followed {
        tracing::info!(resource = %resource.id, %application, from, to = %says.value, "the Application was patched");
    }
    Some(followed)
}

/// What the Application should hold; `None` where the resource names none.
pub(super) fn want<'w>(resource: &'w Resource, says: &'w Says, commit: Option<&'w str>) -> Option<Want<'w>> {
    let Locator::Field { application, component, path, .. } = &resource.target else { return None };
    Some(Want {
        application,
        component,
        path,
        value: &says.value,
        repository: &resource.image,
        publish_version: says.publish_version.as_deref(),
        patch_anyway: resource.deploy == Deploy::Patch,
        token: commit.unwrap_or(&says.value),
    })
}

/// What is to be said of it, after the sentence about Git.
pub(super) fn in_words(deployed: &Deployed) -> Option<String> {
    match deployed.as_ref()?.as_ref().map(|follow| &follow.followed) {
        Ok(Followed::Same) => None,
        Ok(Followed::Patched { from }) => Some(format!("the Application was changed from {from}")),
        Ok(Followed::Nudged(owner)) => Some(format!("{owner} was asked to apply it")),
        Ok(Followed::Left(left)) => Some(left.to_string()),
        Err(error) => Some(format!("but {}", tell::sentence(&error.to_string(), &chain(error), None))),
    }
}
