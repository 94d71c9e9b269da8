namespace MvAdapter.Search;

/// <summary>What a store is opened for.</summary>
public enum StoreAccess
{
    /// <summary>Reading; it must be there.</summary>
    Read,

    /// <summary>Reading and writing; it must be there.</summary>
    Write,

    /// <summary>Reading and writing; it is made when it is not there.</summary>
    Create,
}
