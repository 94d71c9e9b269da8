using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

/// <summary>What launchers say in environment variables, and what is refused.</summary>
public sealed class WorkerEnvironmentTests
{
    [Fact]
    public void Without_variables_a_process_is_alone()
    {
        Assert.Null(Parse());
        Assert.Null(Parse("WORLD_SIZE=1", "RANK=0"));
        Assert.Null(Parse("SLURM_NTASKS=8", "SLURM_PROCID=0"));   // a batch script, which is no task of srun
        Assert.Null(Parse("SLURM_STEP_NUM_TASKS=1", "SLURM_PROCID=0"));
    }

    [Fact]
    public void Torchruns_variables_are_understood() => Assert.Equal(
        new WorkerEnvironment(5, 16, 1, 4) { MasterAddress = "node1", MasterPort = 1234, LauncherKeepsStore = true, Attempt = "2" },
        Parse("RANK=5", "WORLD_SIZE=16", "LOCAL_RANK=1", "LOCAL_WORLD_SIZE=4", "MASTER_ADDR=node1", "MASTER_PORT=1234", "TORCHELASTIC_USE_AGENT_STORE=True", "TORCHELASTIC_RESTART_COUNT=2"));

    [Fact]
    public void So_are_the_few_that_Kubernetes_sets() => Assert.Equal(
        new WorkerEnvironment(1, 2, 0, 1) { MasterAddress = "job-master-0", MasterPort = 29500 }, Parse("RANK=1", "WORLD_SIZE=2", "MASTER_ADDR=job-master-0"));

    [Theory]
    [InlineData("node[003-005,007]", "4(x2),3", 1, "node003", 4)]
    [InlineData("a,b", "2,3", 1, "a", 3)]
    [InlineData("gpu-[1,3]-ib,x", "1(x3)", 2, "gpu-1-ib", 1)]
    public void Slurms_variables_are_understood(string nodes, string tasks, int node, string master, int onNode)
    {
        var place = Parse("SLURM_STEP_NUM_TASKS=11", "SLURM_PROCID=6", "SLURM_LOCALID=0", $"SLURM_NODEID={node}", $"SLURM_STEP_TASKS_PER_NODE={tasks}",
            $"SLURM_STEP_NODELIST={nodes}", "SLURM_JOB_ID=123456", "SLURM_STEP_ID=3")!;
        Assert.Equal((6, 11, 0, onNode, master, 29500 + 3456, "3"),
            (place.Rank, place.WorldSize, place.LocalRank, place.LocalWorldSize, place.MasterAddress, place.MasterPort, place.Attempt));
    }

    [Theory]
    [InlineData("WORLD_SIZE is set without RANK", "WORLD_SIZE=2")]
    [InlineData("RANK is set without WORLD_SIZE", "RANK=0")]
    [InlineData("without MASTER_ADDR", "WORLD_SIZE=2", "RANK=0")]
    [InlineData("RANK is '2', not a whole number from 0 to 1", "WORLD_SIZE=2", "RANK=2", "MASTER_ADDR=a")]
    [InlineData("WORLD_SIZE is 'two'", "WORLD_SIZE=two", "RANK=0", "MASTER_ADDR=a")]
    [InlineData("MASTER_PORT is '99999'", "WORLD_SIZE=2", "RANK=0", "MASTER_ADDR=a", "MASTER_PORT=99999")]
    [InlineData("LOCAL_RANK 1 must be less than LOCAL_WORLD_SIZE 1", "WORLD_SIZE=2", "RANK=0", "MASTER_ADDR=a", "LOCAL_RANK=1", "LOCAL_WORLD_SIZE=1")]
    [InlineData("Slurm names no nodes", "SLURM_STEP_NUM_TASKS=2", "SLURM_PROCID=0", "SLURM_LOCALID=0")]
    [InlineData("SLURM_LOCALID is ''", "SLURM_STEP_NUM_TASKS=2", "SLURM_PROCID=0")]
    public void What_is_missing_or_no_number_is_named(string reason, params string[] variables) =>
        Assert.Contains(reason, Assert.Throws<UsageException>(() => Parse(variables)).Message, StringComparison.Ordinal);

    private static WorkerEnvironment? Parse(params string[] variables)
    {
        var set = variables.Select(variable => variable.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        return WorkerEnvironment.Parse(name => set.GetValueOrDefault(name));
    }
}
