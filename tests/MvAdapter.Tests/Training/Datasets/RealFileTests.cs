using System.Text.Json;
using MvAdapter.Datasets;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Datasets;

/// <summary>The official files as they are distributed.</summary>
[Trait("Category", "Fixtures")]
public sealed class RealFileTests
{
    [Fact]
    public void MsrVtt_1k_A_lists_a_thousand_pairs()
    {
        var folder = Path.GetDirectoryName(Fixtures.Data("msrvtt/MSRVTT_JSFUSION_test.csv"))!;
        var clip = Path.GetFileNameWithoutExtension(Fixtures.Clip("video7348.mp4"));
        var dataset = DatasetSource.Load("msrvtt", new DatasetOptions
        {
            Annotations = folder,
            Videos = Path.GetDirectoryName(Fixtures.Clip("video7348.mp4")),
            Split = Split.Test,
        });

        Assert.Equal(1000, dataset.Expected);
        Assert.Contains(dataset.Samples, sample => sample.Id == clip && sample.Captions.Count == 1);
        Assert.NotNull(dataset.MissingSummary);
    }

    [Fact]
    public void DiDeMo_s_test_list_has_one_paragraph_a_video()
    {
        var path = Fixtures.Data("didemo/test_data.json");
        var annotations = DiDeMo.Read(new DatasetOptions { Annotations = Path.GetDirectoryName(path)!, Split = Split.Test }).ToList();

        Assert.Equal(1037, annotations.Count);
        using var json = JsonDocument.Parse(File.ReadAllText(path));
        Assert.Equal(4021, json.RootElement.GetArrayLength());
        var longest = annotations.Sum(annotation => Assert.Single(annotation.Captions).Length);
        Assert.True(longest >= json.RootElement.EnumerateArray().Sum(item => item.GetProperty("description").GetString()!.Trim().Length));
    }
}
