using System.Text.Json;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

public sealed class WarmupCosineTests
{
    [Fact]
    [Trait("Category", "Fixtures")]
    public void Agrees_with_the_published_code()
    {
        using var fixture = JsonDocument.Parse(File.ReadAllText(Fixtures.Find("warmup_cosine.json")));
        Assert.NotEmpty(fixture.RootElement.EnumerateArray());
        foreach (var item in fixture.RootElement.EnumerateArray())
            Assert.Equal(
                item.GetProperty("factor").GetDouble(),
                WarmupCosine.Factor(
                    item.GetProperty("step").GetInt64(),
                    item.GetProperty("total").GetInt64(),
                    item.GetProperty("warmup").GetDouble()),
                1e-12);
    }

    [Fact]
    public void Without_warmup_the_first_step_is_whole() => Assert.Equal(1, WarmupCosine.Factor(0, 10, 0));

    [Fact]
    public void A_run_has_steps() => Assert.Throws<ArgumentOutOfRangeException>(() => WarmupCosine.Factor(0, 0, 0.1));
}
