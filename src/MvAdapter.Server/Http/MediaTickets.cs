using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace MvAdapter.Server;

/// <summary>
/// Lets a page show a clip without its key: the browser asks for pictures and films by address alone. A ticket is good
/// for one address until its time is up, or the server ends.
/// </summary>
internal sealed class MediaTickets
{
    /// <summary>The parameter of the address.</summary>
    public const string Parameter = "ticket";

    private static readonly TimeSpan Life = TimeSpan.FromHours(12);
    private readonly byte[] secret = RandomNumberGenerator.GetBytes(32);

    /// <summary>The address with a ticket.</summary>
    public string Sign(string path)
    {
        var expires = (DateTimeOffset.UtcNow + Life).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return $"{path}?{Parameter}={expires}.{Signature(path, expires)}";
    }

    /// <summary>Whether a ticket is good for an address.</summary>
    public bool Accepts(string path, string ticket)
    {
        if (ticket.Split('.') is not [var expires, var signature]) return false;
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(Signature(path, expires)), Encoding.UTF8.GetBytes(signature))
            && long.Parse(expires, CultureInfo.InvariantCulture) > DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    }

    private string Signature(string path, string expires) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes($"{expires} {path}")));
}
