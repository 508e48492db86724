//! KubeVela's controller of WorkflowRuns beside KubeVela itself: workflows that belong to no Application.

use super::ControlPlane;
use crate::process::{Process, Start};
use crate::tools;

/// What differs from the program's own defaults, which are those of its chart.
const ARGUMENTS: [&str; 3] = [
    // 60 s in the chart: too long for a test to wait until a workflow looks again.
    "--max-workflow-wait-backoff-time=1",
    // Fixed ports, which two of them would both want.
    "--metrics-bind-address=0",
    "--health-probe-bind-address=0",
];

impl ControlPlane {
    /// Has the controller of WorkflowRuns run as well, unless it does, and [KubeVela](Self::with_kubevela), whose step
    /// definitions it takes. `vela-core` itself leaves WorkflowRuns alone: it does not know the kind.
    ///
    /// # Panics
    /// With the end of its log when it does not work within a minute, and when it can neither be found nor built.
    pub fn with_workflow(&self) -> &Self {
        self.with_kubevela();
        self.workflow.get_or_init(|| self.start_workflow());
        self
    }

    fn start_workflow(&self) -> Process {
        // The chart's other kinds are KubeVela's, in an older form.
        self.install(&[tools::workflow_chart().join("crds/core.oam.dev_workflowruns.yaml")]);
        let program = tools::vela_workflow();
        let mut controller = Process::start(Start {
            name: "vela-workflow",
            program: &program,
            arguments: ARGUMENTS.map(Into::into).into(),
            environment: vec![("KUBECONFIG", self.kubeconfig.clone().into())],
            folder: tempfile::tempdir().expect("a temporary folder"),
        });
        controller.wait_until(|it| it.log().contains("Starting workers").then_some(()));
        controller
    }
}
