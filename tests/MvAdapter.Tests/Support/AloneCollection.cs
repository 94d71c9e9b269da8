namespace MvAdapter.Tests.Support; [CollectionDefinition("Alone", DisableParallelization = true)] public sealed class AloneCollection;
