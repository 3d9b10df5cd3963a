<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** The signature of a notice: sha256=hex(hmac(secret, timestamp + "." + body)). */
final class Signer
{
    /** @return array{X-Lockstep-Timestamp: string, X-Lockstep-Signature: string} */
    public static function headers(#[\SensitiveParameter] string $secret, int $timestamp, string $body): array
    {
        return [
            'X-Lockstep-Timestamp' => (string) $timestamp,
            'X-Lockstep-Signature' => 'sha256='.hash_hmac('sha256', $timestamp.'.'.$body, $secret),
        ];
    }
}
