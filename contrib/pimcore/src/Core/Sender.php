<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** Posts notices. It is bounded in time and never throws; what it says of a failure holds no secret and no address. */
final class Sender
{
    private const ANSWER = 4096;

    private ?\CurlHandle $curl = null;
    private int $owner = 0;
    private int $tries = 0;

    public function __construct(private readonly float $connectTimeout)
    {
    }

    /** How often the network was tried. */
    public function tries(): int
    {
        return $this->tries;
    }

    public function post(Target $target, string $body, float $timeout): Answer
    {
        ++$this->tries;
        $headers = ['Content-Type: application/json', 'Expect:', 'User-Agent: lockstep-pimcore'];
        foreach (Signer::headers($target->secret, time(), $body) as $name => $value) {
            $headers[] = $name.': '.$value;
        }
        $text = '';
        $curl = $this->curl();
        curl_setopt_array($curl, [
            \CURLOPT_URL => $target->url,
            \CURLOPT_POST => true,
            \CURLOPT_POSTFIELDS => $body,
            \CURLOPT_HTTPHEADER => $headers,
            \CURLOPT_PROTOCOLS => \CURLPROTO_HTTP | \CURLPROTO_HTTPS,
            \CURLOPT_FOLLOWLOCATION => false,
            \CURLOPT_NOSIGNAL => true,
            \CURLOPT_CONNECTTIMEOUT_MS => max(1, (int) (1000 * min($this->connectTimeout, $timeout))),
            \CURLOPT_TIMEOUT_MS => max(1, (int) (1000 * $timeout)),
            \CURLOPT_WRITEFUNCTION => static function ($curl, string $part) use (&$text): int {
                $text .= substr($part, 0, max(0, self::ANSWER - \strlen($text)));

                return \strlen($part);
            },
        ]);
        curl_exec($curl);
        if (0 !== $error = curl_errno($curl)) {
            return new Answer(0, curl_strerror($error) ?? 'curl error '.$error);
        }
        // Of the answer only lockstep's code goes on: a proxy's page could hold anything.
        $code = json_decode($text, true)['code'] ?? '';

        return new Answer(
            (int) curl_getinfo($curl, \CURLINFO_RESPONSE_CODE),
            \is_string($code) && preg_match('/^LS-[A-Z0-9-]{1,40}$/', $code) ? $code : '',
        );
    }

    /** The connection is kept for the next batch; a forked child must not talk on its parent's. */
    private function curl(): \CurlHandle
    {
        if (null === $this->curl || $this->owner !== getmypid()) {
            $this->curl = curl_init();
            $this->owner = (int) getmypid();
        }

        return $this->curl;
    }
}
